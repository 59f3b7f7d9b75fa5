import { expect, test } from 'vitest';
import { Keeper } from '../../../src/lib/gateway/keeper.ts';
import type { Refusal, RunningProxy } from '../../../src/lib/gateway/proxy.ts';
import { Reporter } from '../../../src/lib/keep/index.ts';
import { readTraffic, type TrafficState } from '../../../src/lib/traffic/index.ts';
import { eventually } from '../../support/eventually.ts';

const NO_NOTES = { leftOut: [], notes: [] };

function state(values: Record<string, object>, revision: number): TrafficState {
  const entries = Object.entries(values).map(([path, value]) => ({
    path,
    value: JSON.stringify(value),
    revision,
    lease: null,
  }));
  return readTraffic('/v/', entries, revision);
}

const backends = (...ids: string[]): Record<string, object> =>
  Object.fromEntries(ids.map((id) => [`backends/${id}/backend`, { Type: 'http' }]));

/** Refuses what it is told to refuse, and says as much about it as it is told to. */
class FakeProxy implements Pick<RunningProxy, 'serve' | 'check'> {
  served: TrafficState | null = null;
  refuse: (state: TrafficState) => Omit<Refusal, 'kind'> | null = () => null;

  async serve(wanted: TrafficState) {
    const refusal = this.refuse(wanted);
    if (refusal !== null) return { kind: 'refused', ...refusal } as const;
    this.served = wanted;
    return { kind: 'applied', how: 'done', notes: NO_NOTES } as const;
  }

  async check(wanted: TrafficState): Promise<string | null> {
    return this.refuse(wanted)?.why.message ?? null;
  }
}

function kept() {
  const proxy = new FakeProxy();
  const lines: string[] = [];
  const fatal: unknown[] = [];
  const applied: number[] = [];
  const keeper = new Keeper({
    proxy,
    logger: new Reporter('debug', (line) => void lines.push(line)),
    openBreakers: () => [],
    applied: (wanted) => void applied.push(wanted.revision),
    fatal: (error) => void fatal.push(error),
  });
  const bring = async (wanted: TrafficState): Promise<void> => {
    keeper.want(wanted);
    await eventually('applied', () => applied.includes(wanted.revision));
  };
  return { proxy, keeper, lines, fatal, applied, bring };
}

const has = (id: string) => (wanted: TrafficState) => wanted.backends.has(id);

test('a proxy that cannot name the offender: it is found, held back alone, and released when it changes', async () => {
  const { proxy, keeper, bring } = kept();
  await bring(state(backends('a'), 1));
  proxy.refuse = (wanted) =>
    has('bad')(wanted) ? { paths: null, why: new Error('no'), isFatal: false } : null;
  await bring(state(backends('a', 'b', 'bad', 'c'), 2));
  expect([...(proxy.served?.backends.keys() ?? [])].sort()).toEqual(['a', 'b', 'c']);
  expect(keeper.leftOut()).toEqual([
    { object: 'backends/bad/backend', message: 'its last change is not served: no' },
  ]);
  expect(keeper.failing).toBeNull();
  proxy.refuse = () => null;
  await bring(state(backends('a', 'b', 'bad', 'c'), 3));
  expect([...(proxy.served?.backends.keys() ?? [])].sort()).toEqual(['a', 'b', 'bad', 'c']);
  expect(keeper.leftOut()).toEqual([]);
  await keeper.close();
});

test('a proxy that names the paths: those are held back without looking further', async () => {
  const { proxy, keeper, bring, lines } = kept();
  await bring(state(backends('a'), 1));
  const paths = ['backends/bad/backend'];
  proxy.refuse = (wanted) => (has('bad')(wanted) ? { paths, why: new Error('no'), isFatal: false } : null);
  await bring(state(backends('a', 'bad'), 2));
  expect(keeper.leftOut().map(({ object }) => object)).toEqual(paths);
  expect(lines.join('\n')).not.toContain('looking for');
  await keeper.close();
});

test('a failure that is not the state’s fault holds nothing back, and is tried again', async () => {
  const { proxy, keeper, bring, applied } = kept();
  await bring(state(backends('a'), 1));
  proxy.refuse = () => ({ paths: [], why: new Error('the disk is full'), isFatal: false });
  keeper.want(state(backends('a', 'b'), 2));
  await eventually('failing', () => keeper.failing === 'the disk is full');
  expect(keeper.leftOut()).toEqual([]);
  expect(proxy.served?.revision).toBe(1);
  proxy.refuse = () => null;
  await eventually('tried again', () => applied.includes(2), 5000);
  expect(keeper.failing).toBeNull();
  await keeper.close();
});

test('fatal only before anything was served', async () => {
  const first = kept();
  const why = new Error('no program');
  first.proxy.refuse = () => ({ paths: [], why, isFatal: true });
  first.keeper.want(state(backends('a'), 1));
  await eventually('fatal', () => first.fatal[0] === why);
  await first.keeper.close();

  const second = kept();
  await second.bring(state(backends('a'), 1));
  second.proxy.refuse = () => ({ paths: [], why, isFatal: true });
  second.keeper.want(state(backends('b'), 2));
  await eventually('failing', () => second.keeper.failing === 'no program');
  expect(second.fatal).toEqual([]);
  await second.keeper.close();
});
