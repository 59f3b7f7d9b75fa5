/**
 * How the machines that can have a unit are ranked, one preference per file. A preference must not exclude a machine,
 * which is what rules/ is for, and nothing moves for its sake: only units that need a machine are ranked.
 */
import { type Bits, ranksOf, setBit } from '../bits.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { leastLoaded } from './least-loaded.ts';
import type { Preference } from './preference.ts';

/**
 * All preferences. A later one decides only between machines that the earlier ones find equally good, and the last one
 * concerns every unit.
 */
export const PREFERENCES: readonly Preference[] = [leastLoaded];

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
