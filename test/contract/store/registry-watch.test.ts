import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  GatewayRegistry,
  GatewaySettingsRegistry,
  type MachineRecord,
  Registry,
  type RegistryState,
  TrafficRegistry,
  type UnitRecord,
} from '../../../src/lib/registry/index.ts';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store, Write } from '../../../src/lib/store/port.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { eventually } from '../../support/eventually.ts';

const unit = (name: string, hash = 'h1', machine: string | null = null): UnitRecord => ({
  v: 1,
  name,
  hash,
  desired: 'loaded',
  machine,
});
const machine = (id: string, metadata: Record<string, string> = {}): MachineRecord =>
  ({
    v: 1,
    id,
    target: { address: '10.0.0.1', port: 22, user: 'root' },
    facts: {
      machineId: id,
      bootId: 'b',
      hostname: 'h',
      os: 'Debian',
      kernel: '6',
      architecture: 'x86-64',
      systemd: 252,
      sudo: 'root',
    },
    metadata,
  }) as unknown as MachineRecord;
const units = (...all: UnitRecord[]) => new Map(all.map((one) => [one.name, one]));
const file = (hash: string) => new Map([[hash, `[Service]\n# ${hash}\n`]]);

interface Opened {
  readonly store: Store;
  compact?(revision: number): void;
  close(): Promise<void>;
}

async function embedded(): Promise<Opened> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-watch-'));
  const store = await openEmbedded(dir);
  const close = async (): Promise<void> => {
    await store.close();
    await rm(dir, { recursive: true, force: true });
  };
  return { store, close };
}

async function etcd(): Promise<Opened> {
  const server: EtcdServer = await startEtcd();
  const store = await openEtcd({ endpoints: [server.endpoint], timeoutMs: 3000 });
  const close = async (): Promise<void> => {
    await store.close();
    await server.stop();
  };
  return { store, compact: (revision) => void server.etcdctl('compact', String(revision)), close };
}

/** Collects what a watch yields. */
function watching<State>(
  source: { watch(from: State, signal: AbortSignal): AsyncIterable<State> },
  from: State,
): { states: State[]; stop: () => Promise<void> } {
  const states: State[] = [];
  const over = new AbortController();
  const done = (async () => {
    for await (const state of source.watch(from, over.signal)) states.push(state);
  })();
  const stop = async (): Promise<void> => {
    over.abort();
    await done;
  };
  return { states, stop };
}

/** As it can be compared: what was read, in no order. */
const content = ({ machines, units: all, files, problems, revisions }: RegistryState) => ({
  machines: Object.fromEntries(machines),
  units: Object.fromEntries(all),
  files: Object.fromEntries(files),
  problems: [...problems].sort((a, b) => (a.key < b.key ? -1 : 1)),
  revisions: Object.fromEntries(revisions),
});

describe.each([
  ['embedded', embedded],
  ['etcd', etcd],
] as const)('watches on %s', (_, open) => {
  let opened: Opened;
  let store: Store;
  let prefixes = 0;
  beforeAll(async () => {
    opened = await open();
    store = opened.store;
  });
  afterAll(() => opened.close());
  const fresh = (): string => `/cluster-${++prefixes}`;

  test('units and machines: each change is a new state, with the revision', async () => {
    const registry = new Registry(store, fresh());
    await registry.change(await registry.load(), { machines: new Map([['m1', machine('m1')]]) });
    const { states, stop } = watching(registry, await registry.load());

    await registry.change(await registry.load(), { units: units(unit('a.service')), files: file('h1') });
    await eventually('the unit came', () => states.at(-1)?.units.has('a.service') === true);
    const first = states.at(-1);
    expect(first?.machines.has('m1')).toBe(true);
    expect(first?.files.has('h1')).toBe(true);
    expect(first?.revision).toBe((await registry.load()).revision);

    await registry.change(await registry.load(), {
      machines: new Map([['m1', machine('m1', { role: 'web' })]]),
      units: units(unit('a.service', 'h1', 'm1')),
    });
    await eventually('it moved', () => states.at(-1)?.units.get('a.service')?.machine === 'm1');
    expect(states.at(-1)?.machines.get('m1')?.metadata).toEqual({ role: 'web' });

    await registry.change(await registry.load(), { units: new Map([['a.service', null]]) });
    await eventually('it went', () => states.at(-1)?.units.size === 0);
    expect(states.at(-1)?.files.size).toBe(0);
    expect(content(states.at(-1) as RegistryState)).toEqual(content(await registry.load()));
    await stop();
  });

  test('a transaction is never seen in part, and a change can be written on a watched state', async () => {
    const registry = new Registry(store, fresh());
    const { states, stop } = watching(registry, await registry.load());
    const many = (desired: UnitRecord['desired']) =>
      units(...Array.from({ length: 90 }, (_one, n) => ({ ...unit(`u@${n}.service`), desired })));
    await registry.change(await registry.load(), { units: many('loaded'), files: file('h1') });
    await eventually('all came', () => states.at(-1)?.units.size === 90);
    for (const desired of ['launched', 'inactive', 'loaded', 'launched'] as const) {
      expect(await registry.change(states.at(-1) as RegistryState, { units: many(desired) })).not.toBe(
        'moved',
      );
      await eventually(desired, () => states.at(-1)?.units.get('u@0.service')?.desired === desired);
    }
    for (const state of states) {
      expect(state.units.size).toBe(90);
      expect(new Set([...state.units.values()].map(({ desired }) => desired)).size).toBe(1);
    }
    await stop();
  });

  test('what others write below the prefix is no change of units and machines', async () => {
    const prefix = fresh();
    const registry = new Registry(store, prefix);
    const { states, stop } = watching(registry, await registry.load());
    const put = (key: string, value = '{}') =>
      store.commit({ compare: [], writes: [{ put: `${prefix}/${key}`, value }] });
    await put('gateways/m1');
    await put('services/web/web@1');
    await put('units/broken.service', '{oops');
    await eventually('the broken value came', () => states.length > 0);
    expect(states).toHaveLength(1);
    expect(states[0]?.problems).toEqual([
      { key: `${prefix}/units/broken.service`, message: 'the value is not JSON' },
    ]);
    await stop();
  });

  test('any sequence of writes: the watched state is what a load reads', async () => {
    const prefix = fresh();
    const registry = new Registry(store, prefix);
    const { states, stop } = watching(registry, await registry.load());
    let seed = 7;
    const random = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * n);
    };
    const write = (): Write => {
      const n = random(4);
      const hash = `h${random(3)}`;
      const puts: readonly (readonly [string, unknown])[] = [
        [`units/u${n}.service`, unit(`u${n}.service`, hash)],
        [`units/u${n}.service`, 'broken'],
        [`machines/m${n}`, machine(`m${n}`, { n: String(random(9)) })],
        [`files/${hash}`, { v: 1, text: hash }],
        ['schedule', { v: 1 }],
      ];
      const [path, value] = puts[random(puts.length)] ?? ['schedule', {}];
      const key = `${prefix}/${path}`;
      return random(3) === 0 ? { remove: key } : { put: key, value: JSON.stringify(value) };
    };
    for (let round = 0; round < 150; round++) {
      const writes = new Map<string, Write>();
      for (let n = random(3); n >= 0; n--) {
        const one = write();
        writes.set('put' in one ? one.put : one.remove, one);
      }
      await store.commit({ compare: [], writes: [...writes.values()] });
      if (round % 10 !== 9) continue;
      // A last write that always shows.
      await store.commit({
        compare: [],
        writes: [
          { put: `${prefix}/machines/last`, value: JSON.stringify(machine('last', { n: String(round) })) },
        ],
      });
      await eventually(
        `round ${round}`,
        () => states.at(-1)?.machines.get('last')?.metadata.n === String(round),
      );
      expect(content(states.at(-1) as RegistryState)).toEqual(content(await registry.load()));
    }
    await stop();
  });

  test('a history that is gone: the whole state is read anew', async (context) => {
    if (opened.compact === undefined) return context.skip();
    const registry = new Registry(store, fresh());
    const from = await registry.load();
    for (const name of ['a.service', 'b.service'])
      await registry.change(await registry.load(), { units: units(unit(name)), files: file('h1') });
    opened.compact((await registry.load()).revision);
    const { states, stop } = watching(registry, from);
    await eventually('read anew', () => states.at(-1)?.units.size === 2);
    await registry.change(await registry.load(), { units: units(unit('c.service')) });
    await eventually('it goes on', () => states.at(-1)?.units.size === 3);
    await stop();
  });

  test('gateways: records come, change, and go with their lease', async () => {
    const registry = new GatewayRegistry(store, fresh());
    const { states, stop } = watching(registry, await registry.load());
    const record = { v: 1, machine: 'm1', hostname: 'h', address: null, admin: '', version: '0' } as const;
    const lease = await registry.lease(60);
    await registry.put({ ...record, revision: 1 }, lease.id);
    await registry.put({ ...record, revision: 2 }, lease.id);
    await eventually('revision 2', () => states.at(-1)?.gateways.get('m1@')?.revision === 2);
    await lease.revoke();
    await eventually('gone', () => states.at(-1)?.gateways.size === 0);
    await expect(registry.put({ ...record, revision: 3 }, lease.id)).rejects.toMatchObject({
      code: 'lease-expired',
    });
    await stop();
  });

  test('settings: a neighbouring key is none, one winner of two, and a broken value is none', async () => {
    const prefix = fresh();
    const registry = new GatewaySettingsRegistry(store, prefix);
    const from = await registry.load();
    expect(from).toMatchObject({ settings: null, written: 0 });
    const { states, stop } = watching(registry, from);
    const put = (key: string, value: string) => store.commit({ compare: [], writes: [{ put: key, value }] });
    await put(`${prefix}/gateway-settings-of-others`, '{"v":1,"severity":"error"}');
    await registry.set(from, { v: 1, severity: 'debug' });
    await expect(registry.set(from, { v: 1, severity: 'error' })).rejects.toMatchObject({ exit: 6 });
    await eventually('debug', () => states.at(-1)?.settings?.severity === 'debug');
    expect(states).toHaveLength(1);
    await put(`${prefix}/gateway-settings`, '{oops');
    await eventually('none', () => states.at(-1)?.settings === null);
    expect(states.at(-1)?.written).toBeGreaterThan(0);
    await store.commit({ compare: [], writes: [{ remove: `${prefix}/gateway-settings` }] });
    await eventually('removed', () => states.at(-1)?.written === 0);
    await stop();
  });

  test('traffic: the writes of one transaction are one state', async () => {
    const traffic = new TrafficRegistry(store, fresh());
    const { states, stop } = watching(traffic, await traffic.load());
    const edits = Array.from({ length: 50 }, (_one, n) => ({
      put: `backends/b${n}/backend`,
      value: { Type: 'http' },
    }));
    const revision = await traffic.change(await traffic.load(), edits);
    await eventually('all came', () => states.at(-1)?.backends.size === 50);
    expect(states).toHaveLength(1);
    expect(states[0]?.revision).toBe(revision);
    await stop();
  });
});
