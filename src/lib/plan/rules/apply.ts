import { type Bits, intersect } from '../bits.ts';
import type { Exclusion } from '../model.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { RULES } from './index.ts';
import type { Rule } from './rule.ts';

type Why = Omit<Exclusion, 'machine'>;

const LASTING = RULES.filter((rule) => rule.newcomersOnly !== true);
const FOR_NEWCOMERS = RULES.filter((rule) => rule.newcomersOnly === true);

/** The machines that can have the unit, newcomers' rules aside; null = no rule concerns it. Not to be changed. */
export function ableMachines(state: State, unit: Wanted): Bits | null {
  let able: Bits | null = null;
  for (const rule of LASTING) {
    const bits = rule.candidates(state, unit);
    if (bits !== null) able = able === null ? bits : intersect(able, bits);
  }
  return able;
}

/** Those of the `able` machines that take the unit as a newcomer; null = all machines. Not to be changed. */
export function openMachines(state: State, unit: Wanted, able: Bits | null): Bits | null {
  let open: Bits | null = null;
  for (const rule of FOR_NEWCOMERS) {
    const bits = rule.candidates(state, unit);
    if (bits !== null) open = open === null ? bits : state.intersections.of(open, bits);
  }
  return able === null || open === null ? (able ?? open) : intersect(able, open);
}

/** The first rule by which a unit cannot be on a machine, even if it is there already; null when it can. */
export const whyNotStay = (state: State, unit: Wanted, rank: number): Why | null =>
  firstToExclude(LASTING, state, unit, rank);

/** The first rule by which a unit cannot come to a machine. */
export function whyNotCome(state: State, unit: Wanted, rank: number): Exclusion {
  const why = firstToExclude(RULES, state, unit, rank) ?? {
    rule: 'order',
    detail: 'it was excluded when this unit was decided, before others were placed',
  };
  return { machine: state.machines.id(rank), ...why };
}

function firstToExclude(rules: readonly Rule[], state: State, unit: Wanted, rank: number): Why | null {
  for (const rule of rules) {
    const detail = rule.why(state, unit, rank);
    if (detail !== null) return { rule: rule.name, detail };
  }
  return null;
}
