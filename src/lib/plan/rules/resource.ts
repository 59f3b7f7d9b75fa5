import { cpuText, sizeText } from '../../unit/index.ts';
import { type Bits, clearBit, fullBits } from '../bits.ts';
import type { MachineView } from '../model.ts';
import { promisedOf, promisedOn, type Resource } from '../promised.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { replacedAt } from './replaces.ts';
import type { Rule } from './rule.ts';

/**
 * The rule of a resource: a newcomer needs as much as is left on the machine. What is there stays, even if the machine
 * got smaller; a machine whose size is not known takes everybody. A global unit only needs a machine that is large
 * enough for it, whatever else is there: it belongs there before ordinary units do.
 */
export const resourceRule = (resource: Resource): Rule => ({
  name: resource.name,
  newcomersOnly: true,
  indexes: [promisedOf(resource)],

  candidates(state, unit): Bits | null {
    if (resource.of(unit) === 0) return null;
    const bits = fullBits(state.machines.size);
    for (let rank = 0; rank < state.machines.size; rank++)
      if (lacking(resource, state, unit, rank) !== null) clearBit(bits, rank);
    return bits;
  },

  why(state, unit, rank) {
    const lack = resource.of(unit) === 0 ? null : lacking(resource, state, unit, rank);
    if (lack === null) return null;
    const [need, left, all] = amounts(resource, [resource.of(unit), lack.left, lack.all]);
    return `needs ${need}, this machine has ${left} of ${all} left`;
  },
});

/** What a machine has left for the unit, and in all; null = enough, or not known. */
function lacking(
  resource: Resource,
  state: State,
  unit: Wanted,
  rank: number,
): { readonly left: number; readonly all: number } | null {
  const all = resource.capacity(state.machines.list[rank] as MachineView);
  if (all === undefined) return null;
  const need = resource.of(unit);
  if (unit.global) return need > all ? { left: all, all } : null;

  const left = all - promisedOn(state, resource, rank);
  if (need <= left) return null;
  const freed = replacedAt(state, unit, rank).reduce((sum, other) => sum + resource.of(other), 0);
  return need <= left + freed ? null : { left: left + freed, all };
}

/** Amounts as a person reads them, finer where that would hide which is the larger one. */
function amounts({ name }: Resource, [need = 0, left = 0, all = 0]: readonly number[]): string[] {
  if (name === 'cpu') return [cpuText(need), String(Math.max(0, left) / 1000), cpuText(all)];
  const [shownNeed, shownLeft] = [sizeText(need), sizeText(Math.max(0, left))];
  const exact = shownNeed === shownLeft;
  return [exact ? `${need} bytes` : shownNeed, exact ? `${left}` : shownLeft, sizeText(all)];
}
