import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RolloutEntry, RolloutRegistry } from '../../../src/lib/registry/index.ts';
import type { Rollout } from '../../../src/lib/rollout/index.ts';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { startEtcd } from '../../support/etcd-server.ts';
import { eventually } from '../../support/eventually.ts';
import { itemOf, rolloutOf } from '../../unit/rollout/support.ts';

const DRIVER = { v: 1, who: 'ada@desk', pid: 42 } as const;
const FILES = new Map([
  ['old', '[Service]\n# old\n'],
  ['new', '[Service]\n# new\n'],
]);

const stores: Record<string, () => Promise<{ store: Store; close: () => Promise<void> }>> = {
  embedded: async () => {
    const dir = await mkdtemp(join(tmpdir(), 'cluster-rollouts-'));
    const store = await openEmbedded(dir);
    return { store, close: () => store.close().then(() => rm(dir, { recursive: true, force: true })) };
  },
  etcd: async () => {
    const server = await startEtcd();
    const store = await openEtcd({ endpoints: [server.endpoint], timeoutMs: 3000 });
    return { store, close: () => store.close().then(() => server.stop()) };
  },
};

describe.each(Object.entries(stores))('rollouts in %s', (_, open) => {
  let opened: Awaited<ReturnType<typeof open>>;
  let area = 0;
  const fresh = () => new RolloutRegistry(opened.store, `/test-${area++}`);
  const begin = async (registry: RolloutRegistry, rollout: Rollout = rolloutOf(2)): Promise<RolloutEntry> => {
    const { id: _id, ...rest } = rollout;
    const entry = await registry.begin(await registry.load(), rest, FILES);
    if (entry === null) throw new Error('not begun');
    return entry;
  };
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  test('are numbered, and read as they were written', async () => {
    const registry = fresh();
    await begin(registry);
    const second = await begin(registry);
    const { rollouts, problems } = await registry.load();
    expect(rollouts.map(({ rollout }) => rollout.id)).toEqual(['2', '1']);
    expect(rollouts[0]).toEqual(second);
    expect(problems).toEqual([]);
    expect(await registry.files()).toEqual(FILES);
  });

  test('of two that are begun on the same state only one is', async () => {
    const registry = fresh();
    const state = await registry.load();
    const { id: _id, ...rest } = rolloutOf(1);
    const both = await Promise.all([registry.begin(state, rest, FILES), registry.begin(state, rest, FILES)]);
    expect(both.filter((one) => one !== null)).toHaveLength(1);
  });

  test('one that goes on keeps another from being begun on what was read before, and the other way round', async () => {
    const registry = fresh();
    const entry = await begin(registry);
    const state = await registry.load();
    const resumed = { ...entry.rollout, state: 'running' as const };
    expect(await registry.change(entry, resumed, { begun: state.begun })).not.toBeNull();
    const { id: _id, ...rest } = rolloutOf(1);
    expect(await registry.begin(state, rest, FILES)).toBeNull();
  });

  test('have one driver, and only it can write as such', async () => {
    const registry = fresh();
    const entry = await begin(registry);
    const hold = await registry.drive('1', DRIVER, 30);
    expect(hold).not.toBeNull();
    expect(await registry.drive('1', { ...DRIVER, who: 'bob@desk' }, 30)).toBeNull();
    expect((await registry.load()).drivers.get('1')).toEqual(DRIVER);
    await hold!.lease.revoke();
    expect(await registry.driver('1')).toBeNull();
    const late = await registry.change(entry, { ...entry.rollout, state: 'running' }, { driver: hold! });
    expect(late).toBeNull();
    expect(await registry.drive('1', { ...DRIVER, who: 'bob@desk' }, 30)).not.toBeNull();
  });

  test('are followed', async () => {
    const registry = fresh();
    const entry = await begin(registry);
    const other = await begin(registry);
    const abort = new AbortController();
    const states: string[] = [];
    const following = (async () => {
      for await (const now of registry.watch('1', entry.revision, abort.signal))
        states.push(now?.rollout.state ?? 'gone');
    })();
    await registry.change(other, { ...other.rollout, state: 'done' });
    await registry.change(entry, { ...entry.rollout, state: 'paused' });
    await eventually('the pause is seen', () => states.length > 0);
    expect(states).toEqual(['paused']);
    abort.abort();
    await following;
  });

  test('that cannot be read are named and left alone', async () => {
    const registry = new RolloutRegistry(opened.store, '/broken');
    await begin(registry);
    const writes = [
      { put: '/broken/rollouts/2', value: '{"v":1,"id":"2","kind":"lottery"}' },
      { put: '/broken/rollouts/3', value: 'oops' },
    ];
    await opened.store.commit({ compare: [], writes });
    const { rollouts, problems } = await registry.load();
    expect(rollouts).toHaveLength(1);
    expect(problems.map(({ message }) => message)).toEqual([
      '"kind" is "lottery", not file, restart, drain, reboot, update',
      'the value is not JSON',
    ]);
    expect((await begin(registry)).rollout.id).toBe('4');
  });

  test('at their end are forgotten when there are more than twenty, with the files that only they needed', async () => {
    const registry = fresh();
    const done = rolloutOf(1, {}, { state: 'done', items: [itemOf(1, 'healthy', { from: null })] });
    const { id: _id, ...rest } = {
      ...done,
      items: [{ ...done.items[0]!, to: { hash: 'first', desired: 'launched' as const } }],
    };
    await registry.begin(await registry.load(), rest, new Map([['first', '[Service]\n']]));
    for (let count = 0; count < 21; count++) await begin(registry, done);
    const { rollouts } = await registry.load();
    expect(rollouts).toHaveLength(20);
    expect(rollouts.at(-1)!.rollout.id).toBe('3');
    expect([...(await registry.files()).keys()]).toEqual(['new']);
  });
});
