import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  batches,
  type Guard,
  isInFlight,
  isOver,
  type Lock,
  next,
  overlap,
  parseWindow,
  type Rollout,
  type RolloutItem,
  released,
  resume,
  type Seen,
  taken,
} from '../../../src/lib/rollout/index.ts';
import { GOOD, observed, rolloutOf, seenOf } from './support.ts';

const HERE = { hash: '', desired: 'launched' } as const;
const machine = (name: string, more: Partial<RolloutItem> = {}): RolloutItem => ({
  unit: '',
  machine: name,
  from: HERE,
  to: HERE,
  state: 'waiting',
  ...more,
});
const reboot = (items: readonly RolloutItem[], max = 1, more: Partial<Rollout> = {}): Rollout =>
  rolloutOf(1, { maxUnavailable: { count: max }, minHealthyMs: 0 }, { kind: 'reboot', items, ...more });
const names = (count: number): RolloutItem[] => Array.from({ length: count }, (_, at) => machine(`m${at}`));
const seen = (more: Partial<Seen> = {}): Seen => seenOf({ wanted: HERE, run: 'boot1', ...more });
const guard = (up: readonly number[], least: number, more: Partial<Guard> = {}): Guard => ({
  what: 'etcd members',
  least,
  all: up.length,
  up,
  upElsewhere: 0,
  ...more,
});
const acting = ({ items }: Rollout): number[] =>
  [...items.keys()].filter((at) => items[at]!.state === 'acting');

describe('what may be begun together', () => {
  test.each([
    [1, 0],
    [3, 1],
    [4, 1],
    [5, 2],
    [7, 3],
  ])('of %i etcd members at most %i', (members, most) => {
    const up = [...Array(members).keys()];
    const rollout = reboot(names(members), members);
    const guards = [guard(up, Math.floor(members / 2) + 1)];
    const { rollout: after } = next(
      rollout,
      observed(
        up.map(() => seen()),
        { guards },
      ),
      0,
    );
    expect(acting(after)).toHaveLength(most);
  });

  test('never the last gateway, and a machine without one goes meanwhile', () => {
    const guards = [guard([0, 1], 1, { what: 'gateways' })];
    const { rollout } = next(reboot(names(3), 3), observed([seen(), seen(), seen()], { guards }), 0);
    expect(acting(rollout)).toEqual([0, 2]);
  });

  test('nobody, where a member elsewhere is down; it halts after the deadline and says why', () => {
    const guards = [guard([0], 2, { all: 3, upElsewhere: 1 })];
    const look = observed([seen()], { guards, idleSince: 0 });
    const waits = next(reboot(names(1)), look, 0);
    expect(acting(waits.rollout)).toEqual([]);
    expect(waits.why[0]).toContain('1 of 3 etcd members would be left, and 2 are needed');
    const late = next(reboot(names(1)), look, 60_000);
    expect(late.rollout).toMatchObject({ state: 'halted' });
    expect(late.rollout.reason).toContain('machine m0: 1 of 3 etcd members would be left');
  });

  test('one group after another', () => {
    const items = ['a', 'a', 'b', 'b'].map((rack, at) => machine(`m${at}`, { group: `rack=${rack}` }));
    expect(batches(reboot(items, 4), observed(items.map(() => seen())))).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  test('nothing outside of the windows, however long that takes', () => {
    const rollout = reboot(names(1), 1, { windows: [parseWindow('Thu 23:00 1h', 'UTC')] });
    const look = (clock: string) => observed([seen()], { clock: Date.parse(clock), idleSince: 0 });
    const closed = next(rollout, look('2026-11-25T10:00:00Z'), 1e9);
    expect(closed.rollout).toBe(rollout);
    expect(closed.why).toEqual(['window Thu 23:00 1h UTC opens at 2026-11-26 23:00']);
    expect(acting(next(rollout, look('2026-11-26T23:10:00Z'), 1e9).rollout)).toEqual([0]);
  });

  test('what is under way when a window closes is watched to its end', () => {
    const items = [machine('m0', { state: 'returning' }), machine('m1')];
    const rollout = reboot(items, 1, { windows: [parseWindow('Thu 23:00 1h', 'UTC')] });
    const look = observed([seen(), seen()], { clock: Date.parse('2026-11-27T00:00:00Z') });
    const { rollout: after } = next(rollout, look, 0);
    expect(after.items.map(({ state }) => state)).toEqual(['healthy', 'waiting']);
  });

  test('no more than a lock has slots; a machine that holds one needs no other', () => {
    const need = { name: 'machines', max: 1 };
    const holders = { gone: { rollout: '3', since: '', bootId: 'b' } };
    const lock: Lock = { v: 1, max: 1, holders };
    const both = [seen({ locks: [need] }), seen({ locks: [need] })];
    const full = next(reboot(names(2), 2), observed(both, { locks: new Map([['machines', lock]]) }), 1e9);
    expect(acting(full.rollout)).toEqual([]);
    expect(full.rollout.state).toBe('running');
    expect(full.why[0]).toContain('lock machines has no free slot: 1 in all, held by gone (rollout 3)');
    const own: Lock = { ...lock, holders: { m1: holders.gone } };
    const mine = next(reboot(names(2), 2), observed(both, { locks: new Map([['machines', own]]) }), 0);
    expect(acting(mine.rollout)).toEqual([1]);
  });
});

describe('a machine that does not come back', () => {
  const failed = [machine('m0', { state: 'acting', run: 'boot1', well: ['x'] }), machine('m1')];
  const gone = seen({ health: { verdict: 'unknown', why: 'does not answer' }, run: undefined });

  test('halts the rest', () => {
    const look = observed([{ ...gone, failure: 'did not come back within 10 min' }, seen()]);
    const { rollout } = next(reboot(failed), look, 0);
    expect(rollout).toMatchObject({ state: 'halted', reason: 'machine m0 did not come back within 10 min' });
    expect(rollout.items.map(({ state }) => state)).toEqual(['failed', 'waiting']);
  });

  test('and came back late is not rebooted again by resume; one that never went down is', () => {
    const halted = reboot([{ ...failed[0]!, state: 'failed', wasHealthy: true }, failed[1]!], 1, {
      state: 'halted',
    });
    const resumed = resume(halted);
    const late = next(resumed, observed([seen({ run: 'boot2' }), seen()]), 0);
    expect(late.rollout.items[0]!.state).toBe('returning');
    const same = next(resumed, observed([seen(), seen()]), 0);
    expect(same.steps.map(({ action, item }) => [action, item])).toEqual([['reboot', 0]]);
    expect(same.rollout.items[0]!.well).toEqual(['x']);
  });
});

test('packages that an update changed are kept, also of one that failed', () => {
  const rollout = reboot([machine('m0', { state: 'acting' })], 1, { kind: 'update' });
  const packages = [{ name: 'bash', from: '1', to: '2' }];
  const { rollout: after } = next(rollout, observed([seen({ failure: 'ended', result: { packages } })]), 0);
  expect(after.items[0]).toMatchObject({ state: 'failed', packages });
});

describe('locks', () => {
  const holder = { rollout: '7', since: '', bootId: 'boot1' };
  const need = { name: 'machines', max: 2 };

  test('a slot is freed by another boot and health, by nothing else', () => {
    expect(isOver(holder, { boot: 'boot2', isWell: true })).toBe(true);
    expect(isOver(holder, { boot: 'boot2', isWell: false })).toBe(false);
    expect(isOver(holder, { boot: 'boot1', isWell: true })).toBe(false);
    expect(isOver(holder, { boot: undefined, isWell: true })).toBe(false);
  });

  test('two who share one keep to the lower number', () => {
    const one = taken(undefined, need, 'm0', holder);
    expect(one).toEqual({ v: 1, max: 2, holders: { m0: holder } });
    expect(taken(one, { ...need, max: 1 }, 'm0', holder).max).toBe(1);
    expect(taken(one, { ...need, max: 9 }, 'm1', holder).max).toBe(2);
    expect(released(released(one, 'm0'), 'm0').holders).toEqual({});
  });

  test('rollouts of one group exclude each other, of two groups they do not', () => {
    const of = (name: string, group?: string) => reboot([machine(name, { ...(group && { group }) })]);
    expect(overlap(of('m0'), of('m1'))).toBe('group machines');
    expect(overlap(of('m0', 'rack=a'), of('m1', 'rack=b'))).toBeNull();
    expect(overlap(of('m0', 'rack=a'), of('m0', 'rack=b'))).toBe('machine m0');
  });
});

describe('whatever the cluster is like', () => {
  const worlds = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    max: fc.integer({ min: 1, max: 9 }),
    members: fc.uniqueArray(fc.nat(8), { maxLength: 7 }),
    gateways: fc.uniqueArray(fc.nat(8), { maxLength: 5 }),
    racks: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 9, maxLength: 9 }),
    /** Position of the machine that does not come back; beyond the last: none. */
    lost: fc.nat(12),
  });

  test('quorum, last gateway, budget and order of groups are kept, and it ends', () => {
    fc.assert(
      fc.property(worlds, ({ count, max, members, gateways, racks, lost }) => {
        const items = names(count)
          .map((item, at) => ({ ...item, group: `rack=${racks[at]}` }))
          .sort((a, b) => (a.group < b.group ? -1 : 1));
        const has = (list: readonly number[]) => list.filter((at) => at < count);
        const [etcd, edge] = [has(members), has(gateways)];
        const least = Math.floor(etcd.length / 2) + 1;
        let rollout = reboot(items, max);
        const down = new Set<number>();
        for (let now = 0; now < 60_000_000; now += 60_000) {
          const guards = [
            ...(etcd.length > 0
              ? [
                  guard(
                    etcd.filter((at) => !down.has(at)),
                    least,
                    { all: etcd.length },
                  ),
                ]
              : []),
            ...(edge.length > 0
              ? [
                  guard(
                    edge.filter((at) => !down.has(at)),
                    1,
                  ),
                ]
              : []),
          ];
          const look = observed(
            rollout.items.map((item, at) => {
              const isGone = down.has(at);
              const ends =
                item.state === 'acting' ? (at === lost ? { failure: 'is gone' } : { ended: true }) : {};
              if (item.state === 'acting' && at !== lost) down.delete(at);
              const health = isGone && at === lost ? ({ verdict: 'unknown', why: 'gone' } as const) : GOOD;
              return seen({ ...ends, health });
            }),
            { guards, idleSince: 0 },
          );
          const result = next(rollout, look, now);
          for (const at of acting(result.rollout)) down.add(at);
          rollout = result.rollout;
          expect(rollout.items.filter(isInFlight).length).toBeLessThanOrEqual(max);
          const began = acting(rollout);
          if (began.length > 0) {
            const groups = new Set(began.map((at) => rollout.items[at]!.group));
            expect(groups.size).toBe(1);
            const off = (list: readonly number[]) => list.filter((at) => down.has(at)).length;
            expect(etcd.length - off(etcd)).toBeGreaterThanOrEqual(off(etcd) > 0 ? least : 0);
            expect(edge.length - off(edge)).toBeGreaterThanOrEqual(off(edge) > 0 ? 1 : 0);
          }
          if (result.over) return;
        }
        throw new Error('it does not end');
      }),
      { numRuns: 500 },
    );
  });
});
