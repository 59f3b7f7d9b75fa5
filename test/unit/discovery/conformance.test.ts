import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readCheck } from '../../../src/lib/discovery/offers/check.ts';
import { registryEdits } from '../../../src/lib/discovery/offers/edits.ts';
import { splitTags } from '../../../src/lib/discovery/offers/metadata.ts';
import { urlOf } from '../../../src/lib/discovery/offers/offer.ts';
import { servicesOf } from '../../../src/lib/discovery/offers/services.ts';
import { container, offer, rules } from './support.ts';

interface Case {
  readonly id: string;
  readonly area: string;
  readonly given: {
    readonly SERVICE_TAGS?: string;
    readonly image?: string;
    readonly container?: string;
    readonly ports?: Record<string, number>;
    readonly env?: Record<string, string>;
    readonly service?: { ID?: string; Name?: string; IP?: string; Port: number };
    readonly attrs?: Record<string, string>;
  };
  readonly when: { readonly hostname?: string; readonly ip?: string };
  readonly expect: {
    readonly tags?: string[];
    readonly services?: Record<string, unknown>[];
    readonly server_url_scheme?: string;
    readonly api_calls_in_order?: string[];
    readonly objects?: Record<string, string>;
  };
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../conformance/${name}`, import.meta.url), 'utf8'));
const cases = read('registrator.json') as readonly Case[];
const differences = read('differences-registrator.json') as Record<string, string>;
const ofArea = (area: string): readonly Case[] => cases.filter((item) => item.area === area);

test.each(ofArea('registrator-tags'))('$id', ({ given, expect: expected }) => {
  expect(splitTags(given.SERVICE_TAGS ?? '')).toEqual(expected.tags);
});

test.each(ofArea('registrator-service'))('$id', ({ given, when, expect: expected }) => {
  const described = container({
    image: given.image ?? 'image',
    name: given.container ?? 'name',
    ports: given.ports ?? { 80: 8000 },
    env: given.env ?? {},
  });
  const options = { ...rules, hostname: when.hostname ?? 'hostname', address: when.ip ?? rules.address };
  const found = servicesOf(described, options).services.map((service) => ({
    ID: service.id,
    Name: service.name,
    Port: service.port,
    IP: service.address,
    Tags: service.tags,
    Attrs: service.attributes,
  }));
  const byId = (a: Record<string, unknown>, b: Record<string, unknown>) =>
    String(a.ID).localeCompare(String(b.ID));
  expect(found).toHaveLength(expected.services?.length ?? 0);
  expect(found.sort(byId)).toMatchObject((expected.services ?? []).toSorted(byId));
});

/** Every object that is written, in the words of the cases. */
function announced({ given }: Case): string[] {
  const made = offer({
    ...(given.service?.ID && { id: given.service.ID }),
    ...(given.service?.Name && { name: given.service.Name }),
    ...(given.service?.IP && { address: given.service.IP }),
    port: given.service?.Port ?? 49153,
    attributes: given.attrs ?? {},
  });
  const view = {
    machine: 'm',
    lease: '7',
    ownLeases: new Set(['7']),
    traffic: new Map(),
    presence: new Map(),
    leaving: new Map(),
  };
  return registryEdits(view, [{ offer: made, up: true }])
    .groups.flat()
    .flatMap(({ area, path, value, lease }) => {
      const ttl = lease === null ? '(no TTL)' : 'TTL 11s';
      const [, parent, kind, id] = path.split('/');
      if (area === 'presence') return [];
      if (kind === 'backend') return [`backend ${parent} ${ttl}`];
      if (kind === 'servers') return [`server ${id} ${value?.URL} in ${parent}, ${ttl}`];
      return [`frontend ${parent} -> ${value?.BackendId}, route ${value?.Route}, ${ttl}`];
    });
}

test('reg-vulcand-001: load-balanced', () => {
  const given = cases.find(({ id }) => id === 'reg-vulcand-001') as Case;
  const calls = given.expect.api_calls_in_order?.map((call) => call.replace('upsert ', ''));
  // No TTL on the shared frontend: see the differences.
  expect(differences['reg-vulcand-001']).toContain('no TTL');
  expect(announced(given)).toEqual(
    calls?.map((call) => (call.startsWith('frontend') ? call.replace('TTL 11s', '(no TTL)') : call)),
  );
});

test('reg-vulcand-002: one instance', () => {
  const given = cases.find(({ id }) => id === 'reg-vulcand-002') as Case;
  const id = 'demo-application-v0.2.0@1';
  expect(given.expect.objects?.backend).toBe(id);
  expect(announced(given)).toEqual([
    `backend ${id} TTL 11s`,
    `server ${id} http://10.0.0.1:49153 in ${id}, TTL 11s`,
    `frontend ${id} -> ${id}, ${given.expect.objects?.frontend?.replace(`${id} `, '').replace(' TTL', ', TTL')}`,
  ]);
});

test('reg-vulcand-003, 005: as the fork checks, but before the first traffic', () => {
  expect(readCheck({ check_http: '/health', check_interval: '3s' }).check).toEqual({
    how: {
      kind: 'http',
      path: '/health',
      method: 'GET',
      host: null,
      statuses: [[200, 200]],
      verify: false,
    },
    intervalMs: 3000,
    timeoutMs: 3000,
    rise: 1,
    fall: 1,
  });
  expect(readCheck({ check_http: '/health' }).check).toMatchObject({ intervalMs: 11_000, timeoutMs: 5000 });
});

test.each(ofArea('registrator-vulcand').filter((item) => item.expect.server_url_scheme))('$id', (item) => {
  const port = item.given.service?.Port ?? 0;
  expect(urlOf({ address: '10.0.0.1', port })).toBe(`${item.expect.server_url_scheme}://10.0.0.1:${port}`);
  expect(urlOf({ address: '10.0.0.1', port: 8443 })).toMatch(/^https:/);
  expect(urlOf({ address: 'fd00::1', port: 80 })).toBe('http://[fd00::1]:80');
});

test('every case is either tested here or differs for a reason', () => {
  const tested = new Set(
    ['registrator-tags', 'registrator-service'].flatMap((area) => ofArea(area).map(({ id }) => id)),
  );
  const rest = cases.map(({ id }) => id).filter((id) => !tested.has(id) && differences[id] === undefined);
  expect(rest).toEqual(['reg-vulcand-004']);
});
