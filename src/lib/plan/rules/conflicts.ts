import { fullBits } from '../bits.ts';
import { GlobPlaces } from '../glob-places.ts';
import type { MakeIndex } from '../state.ts';
import type { Rule } from './rule.ts';

/** Where units are that declare a Conflicts glob. */
const declared: MakeIndex<GlobPlaces> = ({ size }, { conflicts: { patterns } }) =>
  new GlobPlaces(patterns.length, size, (unit) => unit.wants.conflicts);

/** Where units are whose name a Conflicts glob matches. */
const matched: MakeIndex<GlobPlaces> = ({ size }, { conflicts: { patterns } }) =>
  new GlobPlaces(patterns.length, size, (unit) => unit.conflictedBy);

/** Conflicts=: not on a machine with a unit that it matches, nor with one whose Conflicts matches this unit. */
export const conflicts: Rule = {
  name: 'conflicts',
  indexes: [declared, matched],

  candidates(state, { conflictedBy, wants }) {
    if (conflictedBy.length === 0 && wants.conflicts.length === 0) return null;
    const bits = fullBits(state.machines.size);
    state.index(declared).takeFrom(bits, conflictedBy);
    state.index(matched).takeFrom(bits, wants.conflicts);
    return bits;
  },

  why(state, { conflictedBy, wants }, rank) {
    if (conflictedBy.length === 0 && wants.conflicts.length === 0) return null;
    const apart =
      state.index(declared).has(conflictedBy, rank) || state.index(matched).has(wants.conflicts, rank);
    if (!apart) return null;

    const { patterns } = state.units.conflicts;
    for (const other of state.on(rank).sort((a, b) => a.index - b.index)) {
      const own = wants.conflicts.find((glob) => other.conflictedBy.includes(glob));
      if (own !== undefined) return `Conflicts=${patterns[own]} matches ${other.name}, which is here`;
      const theirs = other.wants.conflicts.find((glob) => conflictedBy.includes(glob));
      if (theirs !== undefined) {
        return `${other.name} is here, and its Conflicts=${patterns[theirs]} matches this unit`;
      }
    }
    return null;
  },
};
