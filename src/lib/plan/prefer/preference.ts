import type { Bits } from '../bits.ts';
import type { Index, MakeIndex, State } from '../state.ts';
import type { Wanted } from '../units.ts';

/** One way to rank the machines that can have a unit. It never excludes one. */
export interface Preference {
  /** What the score is called where it is shown. */
  readonly name: string;
  /** The machine that comes first, in the words of a placement's reason: "least loaded machine". */
  readonly winner: string;
  /** What the preference wants to have counted while units come and go; read it with `state.index(make)`. */
  readonly indexes?: readonly MakeIndex<Index>[];
  /** The score of a machine by its rank, the lowest is the best; null when the unit does not care. */
  score(state: State, unit: Wanted): ((rank: number) => number) | null;
  /**
   * The first machine by id among those with the lowest score, where there is a faster way than to ask for every
   * score; -1 when there is no candidate. It ends the ranking: preferences after this one are not asked.
   */
  pick?(state: State, candidates: Bits): number;
}
