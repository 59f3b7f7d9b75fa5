/**
 * How the machines that can have a unit are ranked, one preference per file. A preference must not exclude a machine,
 * which is what rules/ is for, and nothing moves for its sake: only units that need a machine are ranked.
 */
import { type Bits, clearBit, ranksOf, setBit } from '../bits.ts';
import type { MachineScore } from '../model.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { leastLoaded } from './least-loaded.ts';
import type { Preference } from './preference.ts';
import { preferred } from './preferred.ts';
import { room } from './room.ts';
import { spread } from './spread.ts';

/**
 * All preferences. A later one decides only between machines that the earlier ones find equally good, and the last one
 * concerns every unit.
 */
export const PREFERENCES: readonly Preference[] = [spread, preferred, room, leastLoaded];

/** Rank of the best of the candidates, ties by machine id; -1 when there is no candidate. */
export function choose(
  state: State,
  unit: Wanted,
  candidates: Bits,
  preferences: readonly Preference[] = PREFERENCES,
): number {
  let left = candidates;
  for (const preference of preferences) {
    if (!preference.concerns(unit)) continue;
    if (preference.pick !== undefined) return preference.pick(state, left);
    left = lowest(left, preference.score(state, unit));
  }
  return ranksOf(left, 1)[0] ?? -1;
}

/** How many machines `plan` shows the scores of. */
const SHOWN = 3;

/** The first of the candidates in the order in which they would be chosen, with what decides it. */
export function firstByScore(state: State, unit: Wanted, candidates: Bits): MachineScore[] {
  const left = candidates.slice();
  const out: MachineScore[] = [];
  const partsAt = partsOf(state, unit);
  while (out.length < SHOWN) {
    const rank = choose(state, unit, left);
    if (rank < 0) break;
    clearBit(left, rank);
    out.push({ machine: state.machines.id(rank), score: partsAt(rank) });
  }
  return out;
}

/** The parts of a machine's score, by name, the deciding one first. */
export function partsOf(state: State, unit: Wanted): (rank: number) => Readonly<Record<string, number>> {
  const all = PREFERENCES.filter((preference) => preference.concerns(unit)).map((preference) => {
    if (preference.parts !== undefined) return preference.parts(state, unit);
    const score = preference.score(state, unit);
    return (rank: number) => ({ [preference.name]: Math.round(score(rank) * PRECISION) / PRECISION });
  });
  return (rank) => Object.assign({}, ...all.map((parts) => parts(rank)));
}

/** Scores are shown with three digits after the point. */
const PRECISION = 1000;

/** The preference by which the unit would be better on the other machine, by as much as is worth a move. */
export function whyBetter(state: State, unit: Wanted, here: number, there: number): Preference | undefined {
  for (const preference of PREFERENCES) {
    if (!preference.concerns(unit)) continue;
    const score = preference.score(state, unit);
    const gain = score(here) - score(there);
    if (gain < 0) return undefined;
    if (gain > 0 && gain >= (preference.worth ?? 0)) return preference;
  }
  return undefined;
}

/** What the chosen machine is, in the words of the first preference that concerns the unit. */
export const winnerFor = (unit: Wanted): string =>
  PREFERENCES.find((preference) => preference.concerns(unit))?.winner ?? '';

/** The candidates with the lowest score. */
function lowest(candidates: Bits, score: (rank: number) => number): Bits {
  const bits = new Uint32Array(candidates.length);
  let best = Number.POSITIVE_INFINITY;
  for (const rank of ranksOf(candidates)) {
    const own = score(rank);
    if (own > best) continue;
    if (own < best) bits.fill(0);
    best = own;
    setBit(bits, rank);
  }
  return bits;
}
