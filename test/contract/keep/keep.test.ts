import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { follow, LeaseHolder } from '../../../src/lib/keep/index.ts';
import { GatewayRegistry, Registry, type RegistryState } from '../../../src/lib/registry/index.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { eventually } from '../../support/eventually.ts';
import { outageOf } from '../../unit/keep/support.ts';

let etcd: EtcdServer;
let store: Store;
const ends: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
  store = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 1000 });
});
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
afterAll(async () => {
  await store.close();
  await etcd.stop();
});

/** Runs a loop until the test ends. */
function running(loop: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
  const over = new AbortController();
  const done = loop(over.signal);
  const end = async (): Promise<void> => {
    over.abort();
    await done;
  };
  ends.push(end);
  return end;
}

const names = (state: RegistryState | undefined): string[] => [...(state?.units.keys() ?? [])].sort();
async function add(registry: Registry, name: string): Promise<void> {
  const unit = { v: 1, name, hash: 'h', desired: 'loaded', machine: null } as const;
  await registry.change(await registry.load(), {
    units: new Map([[name, unit]]),
    files: new Map([['h', '[Service]\n']]),
  });
}

test('follow: etcd that is away at first is reported once; then states come, through its restart too', async () => {
  const registry = new Registry(store, '/follow');
  await add(registry, 'a.service');
  await etcd.kill();
  const { outage, lines } = outageOf();
  const states: RegistryState[] = [];
  const onState = (state: RegistryState): void => void states.push(state);
  running((signal) => follow(registry, { onState, outage, part: 'units' }, signal));
  await eventually('reported', () => lines.length > 0);
  await sleep(1500);
  expect(lines).toEqual([expect.stringMatching(/^the store is away: etcd /)]);
  expect(states).toEqual([]);

  await etcd.start();
  await eventually('the first state', () => states.length > 0, 10_000);
  expect(names(states[0])).toEqual(['a.service']);
  expect(lines.slice(1)).toEqual(['the store is back']);

  await etcd.kill();
  await sleep(500);
  expect(names(states.at(-1))).toEqual(['a.service']);
  await etcd.start();
  await eventually('written', () =>
    add(registry, 'b.service').then(
      () => true,
      () => false,
    ),
  );
  await eventually('followed', () => names(states.at(-1)).includes('b.service'), 10_000);
  expect(names(states.at(-1))).toEqual(['a.service', 'b.service']);
});

test('lease: revoked by somebody else it is granted anew; what hangs on it is kept while etcd restarts', async () => {
  const gateways = new GatewayRegistry(store, '/lease');
  const { outage, lines } = outageOf();
  const news: string[] = [];
  const holder = new LeaseHolder({
    grant: (ttl) => gateways.lease(ttl),
    ttlSeconds: 4,
    refreshSeconds: 1,
    outage,
    granted: (lease) => news.push(lease),
    lost: () => news.push('lost'),
  });
  const end = running((signal) => holder.run(signal));
  await eventually('granted', () => news.length === 1);
  etcd.etcdctl('lease', 'revoke', BigInt(news[0] ?? 0).toString(16));
  await eventually('granted anew', () => news.length === 3);
  expect(news[1]).toBe('lost');
  expect(lines).toEqual([]);

  const record = { v: 1, machine: 'm', hostname: 'h', address: null, admin: '', version: '0' } as const;
  await gateways.put({ ...record, revision: 1 }, news[2] ?? '');
  await etcd.kill();
  await eventually('reported', () => lines.length > 0);
  await etcd.start();
  await eventually('over', () => lines.includes('the store is back'), 10_000);
  expect(lines[0]).toBe(`the store is away: etcd cannot be reached at ${etcd.endpoint}`);
  await sleep(4500);
  expect((await gateways.load()).gateways.size).toBe(1);
  await end();
  await holder.revoke();
  expect((await gateways.load()).gateways.size).toBe(0);
});

test('lease: lost when etcd stays away for the whole ttl, at that time, and granted anew when it is back', async () => {
  const { outage } = outageOf();
  const news: [string, number][] = [];
  const holder = new LeaseHolder({
    grant: (ttl) => store.lease(ttl),
    ttlSeconds: 2,
    refreshSeconds: 0.5,
    outage,
    granted: (lease) => news.push([lease, performance.now()]),
    lost: () => news.push(['lost', performance.now()]),
  });
  running((signal) => holder.run(signal));
  await eventually('granted', () => news.length === 1);
  await sleep(700);
  const killed = performance.now();
  await etcd.kill();
  await eventually('lost', () => news.length === 2);
  const [what, when] = news[1] ?? ['', 0];
  expect(what).toBe('lost');
  expect(when - killed).toBeGreaterThan(1000);
  expect(when - killed).toBeLessThan(3000);
  await etcd.start();
  await eventually('granted anew', () => news.length === 3, 10_000);
  expect(news[2]?.[0]).not.toBe(news[0]?.[0]);
});
