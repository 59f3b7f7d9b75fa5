import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClusterState, decide, type Move, mayMove, rebalance } from '../../../src/lib/plan/index.ts';
import { settled, snapshots } from './clusters.ts';

const made = (state: ClusterState, { unit, to, reason }: Move): ReturnType<typeof decide> =>
  decide(state, { moves: new Map([[unit, { machine: to, reason }]]) });

const check = (property: (state: ClusterState, moves: readonly Move[]) => void): void =>
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const state = settled(snapshot);
      property(state, rebalance(state));
    }),
    { numRuns: 1_500 },
  );

test('each move is allowed after those before it, and moves that unit alone', () => {
  const isHomeless = (state: ClusterState, name: string) => state.units.get(name)?.machine === null;
  let count = 0;
  check((start, moves) => {
    let state = start;
    for (const move of moves) {
      expect(mayMove(state, move)).toBe(true);
      const { units, result, changed } = made(state, move);
      expect([...changed].filter((name) => !isHomeless(state, name))).toEqual([move.unit]);
      expect(units.get(move.unit)?.machine).toBe(move.to);
      const placement = result.placements.find(({ unit }) => unit === move.unit);
      expect(placement).toMatchObject({ machine: move.to, previous: move.from, reason: move.reason });
      expect(move.reason).toMatch(/^\S+( \S+)? \S+ instead of \S+/);
      state = { ...state, units };
      count++;
    }
  });
  expect(count).toBeGreaterThan(20);
});

test('refuses nobody who had a machine', () => {
  check((start, moves) => {
    const refused = (state: ClusterState) => decide(state).result.refusals.map(({ unit }) => unit);
    let state = start;
    for (const move of moves) state = { ...state, units: made(state, move).units };
    for (const unit of refused(state)) expect(refused(start)).toContain(unit);
  });
});

test('comes to an end, almost always at once', () => {
  let again = 0;
  let all = 0;
  check((start, moves) => {
    let state = start;
    let rest = moves;
    for (let run = 0; run < 4 && rest.length > 0; run++) {
      if (run === 1) again++;
      all++;
      for (const move of rest) state = { ...state, units: made(state, move).units };
      rest = rebalance(state);
    }
    expect(rest).toEqual([]);
  });
  expect(again).toBeLessThan(all / 20);
});
