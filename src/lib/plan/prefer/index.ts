/**
 * How the machines that can have a unit are ranked, one preference per file. A preference must not exclude a machine,
 * which is what rules/ is for, and nothing moves for its sake: only units that need a machine are ranked.
 */
import { type Bits, ranksOf, setBit } from '../bits.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { leastLoaded } from './least-loaded.ts';
import type { Preference } from './preference.ts';

/** All preferences. A later one decides only between machines that the earlier ones find equally good. */
export const PREFERENCES: readonly Preference[] = [leastLoaded];

/** The machine that was chosen and the preference to which it owes that. */
export interface Choice {
  readonly rank: number;
  readonly by: Preference;
}

/** The best of the candidates, ties by machine id; null when there is no candidate. */
export function choose(
  state: State,
  unit: Wanted,
  candidates: Bits,
  preferences: readonly Preference[] = PREFERENCES,
): Choice | null {
  let left = candidates;
  let by: Preference | undefined;
  for (const preference of preferences) {
    if (preference.pick !== undefined) {
      const rank = preference.pick(state, left);
      return rank < 0 ? null : { rank, by: by ?? preference };
    }
    const score = preference.score(state, unit);
    if (score === null) continue;
    left = lowest(left, score);
    by ??= preference;
  }
  const rank = ranksOf(left, 1)[0];
  return rank === undefined || by === undefined ? null : { rank, by };
}

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
