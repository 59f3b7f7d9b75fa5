import type { Preference } from './preference.ts';

/** The machine with the fewest units, as fleet has it. */
export const leastLoaded: Preference = {
  name: 'units',
  winner: 'least loaded machine',
  score:
    ({ loads }) =>
    (rank) =>
      loads.of(rank),
  pick: ({ loads, machines }, candidates) => loads.least(candidates, candidates !== machines.all),
};
