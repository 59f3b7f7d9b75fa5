import { clearBit, fullBits, ranksOf, takeAway } from '../bits.ts';
import { GlobPlaces } from '../glob-places.ts';
import type { MakeIndex, State } from '../state.ts';
import type { Wanted } from '../units.ts';
import type { Rule } from './rule.ts';

const NONE: readonly number[] = [];

/** Where ordinary units are that declare a Replaces glob. */
const replacing: MakeIndex<GlobPlaces> = ({ size }, { replaces: { patterns } }) =>
  new GlobPlaces(patterns.length, size, (unit) => (unit.global ? NONE : unit.wants.replaces));

/**
 * Replaces=: not beside a unit that replaces this one. That a newcomer pushes away what it replaces is not decided
 * here but by place.ts, with `replacedAt`.
 */
export const replaces: Rule = {
  name: 'replaces',
  indexes: [replacing],

  candidates(state, unit) {
    if (unit.global || (unit.replacedBy.length === 0 && unit.wants.replaces.length === 0)) return null;
    const bits = fullBits(state.machines.size);
    if (unit.replacedBy.length === 0) return bits;
    const places = state.index(replacing);
    if (state.order.circleSize(unit.index) === 1) {
      places.takeFrom(bits, unit.replacedBy);
      return bits;
    }

    // Units of one circle do not replace each other, so a glob that is there does not decide.
    const suspects = bits.slice();
    places.takeFrom(bits, unit.replacedBy);
    takeAway(suspects, bits);
    const all = fullBits(state.machines.size);
    for (const rank of ranksOf(suspects)) {
      if (replacerAt(state, unit, rank) !== undefined) clearBit(all, rank);
    }
    return all;
  },

  why(state, unit, rank) {
    const replacer = replacerAt(state, unit, rank);
    return replacer === undefined ? null : `${replacer.name} is here, and its Replaces= names this unit`;
  },
};

/** Ordinary units on the machine that `unit` would push away. */
export function replacedAt(state: State, unit: Wanted, rank: number): Wanted[] {
  if (unit.wants.replaces.length === 0) return [];
  return state.ordinaryOn(rank).filter((other) => isReplacedBy(state, other, unit));
}

function replacerAt(state: State, unit: Wanted, rank: number): Wanted | undefined {
  if (unit.replacedBy.length === 0 || !state.index(replacing).has(unit.replacedBy, rank)) return undefined;
  return state.ordinaryOn(rank).find((other) => isReplacedBy(state, unit, other));
}

/** Not if each replaces the other, directly or in a circle. */
function isReplacedBy({ units, order }: State, unit: Wanted, by: Wanted): boolean {
  if (unit === by || unit.global || by.global || !units.anyReplaces) return false;
  if (order.circle[unit.index] === order.circle[by.index]) return false;
  return by.wants.replaces.some((glob) => unit.replacedBy.includes(glob));
}
