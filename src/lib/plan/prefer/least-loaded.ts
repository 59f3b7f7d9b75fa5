import type { Preference } from './preference.ts';

/** The machine with the fewest units, as in fleet. */
export const leastLoaded: Preference = {
  name: 'units',
  winner: 'least loaded machine',

  concerns() {
    return true;
  },

  score({ loads }) {
    return (rank) => loads.of(rank);
  },

  pick({ loads }, candidates) {
    return loads.least(candidates);
  },
};
