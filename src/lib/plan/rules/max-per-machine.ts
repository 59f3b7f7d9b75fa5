import { clearBit, fullBits } from '../bits.ts';
import { type GroupCounts, groupCounts } from '../groups.ts';
import type { Wanted } from '../units.ts';
import type { Rule } from './rule.ts';

/** MaxPerMachine=: so many instances of the template on one machine, by what each of those that are there says. */
export const maxPerMachine: Rule = {
  name: 'max-per-machine',
  indexes: [groupCounts],

  candidates(state, unit) {
    if (unit.group < 0) return null;
    const counts = state.index(groupCounts);
    if (unit.wants.requirements.maxPerMachine === null && !counts.hasLimit(unit.group)) return null;
    const bits = fullBits(state.machines.size);
    for (const rank of counts.of(unit.group).keys()) if (isFull(counts, unit, rank)) clearBit(bits, rank);
    return bits;
  },

  why(state, unit, rank) {
    if (unit.group < 0 || !isFull(state.index(groupCounts), unit, rank)) return null;
    const others = state.on(rank).filter(({ group }) => group === unit.group);
    const own = unit.wants.requirements.maxPerMachine;
    const whose = own !== null && others.length >= own ? '' : ' of a unit that is here';
    const limit = whose === '' ? own : state.index(groupCounts).limit(unit.group, rank);
    const names = others.map(({ name }) => name).sort();
    const here = `${names.slice(0, NAMED).join(', ')}${names.length > NAMED ? `, ... (${names.length})` : ''}`;
    return `MaxPerMachine=${limit}${whose}, and ${here} ${names.length === 1 ? 'is' : 'are'} here`;
  },
};

const NAMED = 3;

function isFull(counts: GroupCounts, { group, wants }: Wanted, rank: number): boolean {
  const others = counts.count(group, rank);
  const own = wants.requirements.maxPerMachine ?? Number.POSITIVE_INFINITY;
  return others > 0 && others >= Math.min(own, counts.limit(group, rank));
}
