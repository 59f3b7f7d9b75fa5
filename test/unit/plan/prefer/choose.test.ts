import { expect, test } from 'vitest';
import { setBit, wordsFor } from '../../../../src/lib/plan/bits.ts';
import { choose, PREFERENCES } from '../../../../src/lib/plan/prefer/index.ts';
import { leastLoaded } from '../../../../src/lib/plan/prefer/least-loaded.ts';
import type { Preference } from '../../../../src/lib/plan/prefer/preference.ts';
import { machine, stateWithout, unit } from '../rules/ask.ts';

/** Machines 0, 1, ... with so many units each, and a unit that has to go somewhere. */
function cluster(loads: readonly number[]) {
  const machines = loads.map((_, i) => machine(`M${String(i).padStart(4, '0')}`));
  const units = loads.flatMap((load, i) =>
    Array.from({ length: load }, (_, n) => unit(`u${i}-${n}.service`, '', machines[i]?.id ?? null)),
  );
  const { state, asked } = stateWithout({ machines, units: [...units, unit('new.service')] }, 'new.service');
  state.loads.build();
  if (asked === undefined) throw new Error('new.service is wanted');
  return { state, asked };
}

function bits(ranks: readonly number[], size: number) {
  const set = new Uint32Array(wordsFor(size));
  for (const rank of ranks) setBit(set, rank);
  return set;
}

/** Scores by a table; says nothing about units that do not concern it. */
const table = (scores: readonly number[], concerned = true): Preference => ({
  name: 'table',
  winner: 'machine with the lowest score',
  concerns: () => concerned,
  score: () => (rank) => scores[rank] ?? 0,
});

test.each([
  ['the least loaded', [3, 1, 2], [0, 1, 2], 1],
  ['the first of several that are equal', [2, 1, 1], [0, 1, 2], 1],
  ['only candidates', [3, 1, 2], [0, 2], 2],
  ['none where there is no candidate', [3, 1, 2], [], -1],
])('takes %s', (_title, loads, ranks, expected) => {
  const { state, asked } = cluster(loads);
  expect(choose(state, asked, bits(ranks, loads.length))).toBe(expected);
});

test('finds the same by buckets as by looking at each score', () => {
  const loads = Array.from({ length: 300 }, (_, i) => 2 + ((i * 7) % 5));
  const { state, asked } = cluster(loads);
  for (const step of [1, 2, 3, 7, 50]) {
    const ranks = loads.map((_, rank) => rank).filter((rank) => rank % step === 0 && rank > 20);
    const candidates = bits(ranks, loads.length);
    const { name, winner, concerns, score } = leastLoaded;
    const slow: Preference = { name, winner, concerns, score };
    expect(choose(state, asked, candidates)).toBe(choose(state, asked, candidates, [slow]));
  }
});

test('asks a later preference only about machines that the earlier ones find equally good', () => {
  const { state, asked } = cluster([5, 4, 0, 1]);
  const all = bits([0, 1, 2, 3], 4);
  expect(choose(state, asked, all, [table([1, 1, 2, 2]), leastLoaded])).toBe(1);
  expect(choose(state, asked, all, [table([1, 1, 2, 2], false), leastLoaded])).toBe(2);
  expect(choose(state, asked, all, [table([1, 1, 2, 2]), table([0, 3, 0, 0])])).toBe(0);
});

test('every unit has a preference that ends the ranking', () => {
  const { asked } = cluster([0]);
  expect(PREFERENCES.at(-1)?.concerns(asked)).toBe(true);
});
