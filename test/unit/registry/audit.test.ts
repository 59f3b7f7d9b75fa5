import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commandLine } from '../../../src/lib/control/operator.ts';
import { audited, EventRegistry, HistoryRegistry, Registry } from '../../../src/lib/registry/index.ts';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import type { Store } from '../../../src/lib/store/port.ts';

const author = { who: 'ann@laptop', command: 'cluster start web@1', message: 'for the sale' };
let dir: string;
let store: Store;
let now: Date;
let next = 0;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-audit-'));
  now = new Date('2026-01-31T08:00:00.000Z');
  const options = { prefix: '/cluster', trafficPrefix: '/vulcand', author };
  store = audited(await openEmbedded(dir), { ...options, now: () => now, random: () => String(next++) });
});

afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true, force: true });
});

const unit = (name: string, hash: string) =>
  [name, { v: 1, name, hash, desired: 'launched', machine: 'm1' }] as const;
const text = (hash: string) => [hash, `[Service]\n# ${hash}\n`] as const;

/** Writes units with this hash, as a command would. */
async function deploy(hash: string, ...names: string[]): Promise<void> {
  const registry = new Registry(store, '/cluster', author);
  const change = { units: new Map(names.map((name) => unit(name, hash))), files: new Map([text(hash)]) };
  await registry.change(await registry.load(), change, new Map([[hash, 'c0ffee']]));
}

test('a write and its record are one transaction; a write that fails has none', async () => {
  await deploy('aa', 'web@1.service');
  const { events } = await new EventRegistry(store, '/cluster').load();
  expect(events).toEqual([
    {
      v: 1,
      at: '2026-01-31T08:00:00.000Z',
      ...author,
      changes: [{ kind: 'unit', name: 'web@1.service', desired: 'launched', machine: 'm1', hash: 'aa' }],
    },
  ]);
  const [record, written] = await Promise.all([
    store.range('/cluster/events/'),
    store.get('/cluster/units/web@1.service'),
  ]);
  expect(record.entries[0]?.revision).toBe(written?.revision);

  const failing = {
    compare: [{ key: '/vulcand/x', revision: 7 }],
    writes: [{ put: '/vulcand/x', value: '1' }],
  };
  expect(await store.commit(failing)).toBeNull();
  expect((await new EventRegistry(store, '/cluster').load()).events).toHaveLength(1);
});

test('traffic and settings are recorded by name; leases and our own keys are not', async () => {
  const lease = await store.lease(60);
  await store.commit({
    compare: [],
    writes: [
      { put: '/vulcand/frontends/f/frontend', value: '{"secret":1}' },
      { put: '/vulcand/backends/b/servers/s', value: '{}', lease: lease.id },
      { remove: '/cluster/gateway-settings' },
      { put: '/cluster/schedule', value: '{}' },
      { put: '/elsewhere', value: '{}' },
    ],
  });
  const { events } = await new EventRegistry(store, '/cluster').load();
  expect(events.map(({ changes }) => changes)).toEqual([
    [
      { kind: 'traffic', name: 'frontends/f/frontend' },
      { kind: 'settings', name: 'gateway-settings', removed: true },
    ],
  ]);
  await store.commit({ compare: [], writes: [{ put: '/cluster/leaving/a/b', value: '{}' }] });
  expect((await new EventRegistry(store, '/cluster').load()).events).toHaveLength(1);
});

test('events are pruned by number and by age', async () => {
  const events = new EventRegistry(store, '/cluster');
  for (let day = 1; day <= 20; day++) {
    now = new Date(Date.UTC(2026, 0, day));
    await store.commit({ compare: [], writes: [{ put: `/vulcand/hosts/${day}/host`, value: '{}' }] });
  }
  expect(await events.prune(now, { number: 15, days: 90 })).toBe(5);
  expect(await events.prune(now, { number: 100, days: 3 })).toBe(11);
  expect((await events.load()).events.map(({ at }) => at.slice(8, 10))).toEqual(['17', '18', '19', '20']);
  expect(await events.prune(now)).toBe(0);
});

test('events are followed in order', async () => {
  const events = new EventRegistry(store, '/cluster');
  const over = new AbortController();
  const seen: string[] = [];
  const following = (async () => {
    for await (const { changes } of events.watch(await events.load(), over.signal)) {
      seen.push(changes[0]?.name ?? '');
      if (seen.length === 2) over.abort();
    }
  })();
  for (const id of ['a', 'b'])
    await store.commit({ compare: [], writes: [{ put: `/vulcand/hosts/${id}/host`, value: '{}' }] });
  await following;
  expect(seen).toEqual(['hosts/a/host', 'hosts/b/host']);
});

test('a text that no unit of the file had is a version; another instance with it is none', async () => {
  const history = new HistoryRegistry(store, '/cluster');
  await deploy('aa', 'web@1.service');
  await deploy('aa', 'web@2.service');
  expect(await history.load('web@.service')).toMatchObject([
    { file: 'web@.service', hash: 'aa', units: ['web@1.service'], commit: 'c0ffee', ...author },
  ]);
  await deploy('bb', 'web@1.service', 'web@2.service');
  await deploy('aa', 'web@1.service');
  await deploy('bb', 'one.service');
  const versions = await history.load('web@.service');
  expect(versions.map(({ hash }) => hash).sort()).toEqual(['aa', 'aa', 'bb']);
  expect(versions.find(({ hash }) => hash === 'bb')?.text).toBe('[Service]\n# bb\n');
  expect((await history.load()).map(({ file }) => file)).toContain('one.service');
});

test('the last ten texts of a file are kept, of each file its own', async () => {
  const history = new HistoryRegistry(store, '/cluster');
  await deploy('other', 'b.service');
  for (let n = 10; n < 24; n++) await deploy(`h${n}`, 'a.service');
  await history.prune(['a.service', 'none.service']);
  expect((await history.load('a.service')).map(({ hash }) => hash)).toEqual(
    Array.from({ length: 10 }, (_, n) => `h${23 - n}`),
  );
  expect(await history.load('b.service')).toHaveLength(1);
});

test('without an author nothing is kept', async () => {
  const plain = new Registry(store, '/other');
  await plain.change(await plain.load(), {
    units: new Map([unit('a.service', 'aa')]),
    files: new Map([text('aa')]),
  });
  expect(await new HistoryRegistry(store, '/other').load()).toEqual([]);
});

test('values that cannot be read are left out', async () => {
  for (const value of ['{oops', 'null', '{}', '{"v":1,"at":"x","who":"y","command":"z","changes":[null]}']) {
    await store.commit({
      compare: [],
      writes: [
        { put: '/cluster/events/1', value },
        { put: '/cluster/history/a.service/1', value },
      ],
    });
    expect((await new EventRegistry(store, '/cluster').load()).events).toEqual([]);
    expect(await new HistoryRegistry(store, '/cluster').load()).toEqual([]);
  }
});

test.each([
  [['start', 'demo@<1..3>.service'], 'cluster start demo@<1..3>.service'],
  [['start', "it's"], "cluster start 'it'\\''s'"],
  [['--etcd-password', 'hunter2', 'list-units'], 'cluster --etcd-password *** list-units'],
  [['--etcd-password=hunter2', 'x'], 'cluster --etcd-password=*** x'],
  [['host', 'upsert', '--seal-key', 'abc'], 'cluster host upsert --seal-key ***'],
  [['--endpoint', 'http://u:pw@10.0.0.1'], 'cluster --endpoint http://***@10.0.0.1'],
])('%j is recorded without its secrets', (args, line) => {
  expect(commandLine('cluster', args)).toBe(line);
});

test('a long command line is cut', () => {
  expect(
    commandLine(
      'cluster',
      Array.from({ length: 1000 }, () => 'unit.service'),
    ).length,
  ).toBe(500);
});
