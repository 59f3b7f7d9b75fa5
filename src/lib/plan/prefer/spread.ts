import { groupCounts } from '../groups.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import type { Preference } from './preference.ts';

/**
 * Spread=: where the value of the key has the fewest instances of the template, which keeps the difference between
 * values as small as it can be. Of several keys an earlier one decides before a later one. A machine without the key
 * comes after all that have it.
 */
export const spread: Preference = {
  name: 'spread',
  winner: 'best machine by Spread',
  indexes: [groupCounts],

  concerns({ group, wants, global }) {
    return group >= 0 && !global && wants.requirements.spread.length > 0;
  },

  score(state, unit) {
    const { total, counters } = countersOf(state, unit);
    // A count is total + 1 at most, so a later key never outweighs an earlier one.
    return (rank) => counters.reduce((score, { count }) => score * (total + 2) + count(rank), 0);
  },

  parts(state, unit) {
    const { counters } = countersOf(state, unit);
    return (rank) => Object.fromEntries(counters.map(({ key, count }) => [`spread ${key}`, count(rank)]));
  },
};

interface Counter {
  readonly key: string;
  /** How many other instances have the value of the key that this machine has. */
  readonly count: (rank: number) => number;
}

function countersOf(state: State, unit: Wanted): { readonly total: number; readonly counters: Counter[] } {
  const { machines } = state;
  const there = [...state.index(groupCounts).of(unit.group)];
  const total = there.reduce((sum, [, count]) => sum + count, 0);
  const counters = unit.wants.requirements.spread.map((key): Counter => {
    const byValue = new Map<string, number>();
    for (const [rank, count] of there) {
      const value = machines.value(rank, key);
      if (value !== undefined) byValue.set(value, (byValue.get(value) ?? 0) + count);
    }
    const count = (rank: number): number => {
      const value = machines.value(rank, key);
      return value === undefined ? total + 1 : (byValue.get(value) ?? 0);
    };
    return { key, count };
  });
  return { total, counters };
}
