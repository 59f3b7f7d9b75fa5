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
  /** False for a unit that does not care; then the other two are not asked. */
  concerns(unit: Wanted): boolean;
  /** Gives the score of a machine by its rank; the lowest is the best. */
  score(state: State, unit: Wanted): (rank: number) => number;
  /** The score as it is shown, where it has several parts; absent = one part, called `name`. */
  parts?(state: State, unit: Wanted): (rank: number) => Readonly<Record<string, number>>;
  /** How much lower another machine's score has to be before a rebalance moves a unit for it; absent = at all. */
  readonly worth?: number;
  /**
   * The first machine by id among those with the lowest score, where there is a faster way than to ask for every
   * score; -1 when there is no candidate. It ends the ranking, so only the last preference can have it.
   */
  pick?(state: State, candidates: Bits): number;
}
