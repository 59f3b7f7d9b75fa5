import { type Bits, setBit, wordsFor } from '../bits.ts';
import type { Index, MakeIndex, State } from '../state.ts';
import type { Wanted } from '../units.ts';

/**
 * One placement rule. Its two functions state the same law, once for all machines and once for one: the bit of a
 * machine is set in `candidates` exactly when `why` is null for it.
 */
export interface Rule {
  /** As it stands in the reasons of a refusal and in `--json`. */
  readonly name: string;
  /** The rule does not move a unit that is already on a machine; it only keeps others away. */
  readonly newcomersOnly?: true;
  /** What the rule wants to have counted while units come and go; read it with `state.index(make)`. */
  readonly indexes?: readonly MakeIndex<Index>[];
  /**
   * The machines that can have the unit; null when the rule does not concern the unit, which costs nothing. The set
   * may be shared, so callers must not change it. The unit itself is on no machine when this is asked.
   */
  candidates(state: State, unit: Wanted): Bits | null;
  /** Why this machine cannot have the unit, as a sentence for people; null when it can. Fast when it is null. */
  why(state: State, unit: Wanted, rank: number): string | null;
}

/** `candidates` of a rule that has no index to look them up in: asks for every machine. */
export function candidatesByAsking({ why }: Pick<Rule, 'why'>, state: State, unit: Wanted): Bits {
  const bits = new Uint32Array(wordsFor(state.machines.size));
  for (let rank = 0; rank < state.machines.size; rank++) {
    if (why(state, unit, rank) === null) setBit(bits, rank);
  }
  return bits;
}
