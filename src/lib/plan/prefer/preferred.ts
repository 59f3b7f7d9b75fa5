import type { Preference } from './preference.ts';

/** Prefer=: the machine that lacks the fewest of the pairs that are named. */
export const preferred: Preference = {
  name: 'prefer',
  winner: 'best machine by Prefer',

  concerns({ wants, global }) {
    return !global && wants.requirements.prefer.length > 0;
  },

  score({ machines }, { wants }) {
    const pairs = wants.requirements.prefer;
    return (rank) => pairs.filter(([key, value]) => machines.value(rank, key) !== value).length;
  },
};
