import { setBit } from '../bits.ts';
import type { MachineView } from '../model.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import type { Rule } from './rule.ts';

/** A cordoned machine takes no new units. */
export const cordoned: Rule = {
  name: 'cordoned',
  newcomersOnly: true,

  candidates(state, unit) {
    const open = state.machines.those(isOpen);
    if (open === null || !unit.global) return open;
    const bits = open.slice();
    for (let rank = 0; rank < state.machines.size; rank++)
      if (mayBeThere(state, unit, rank)) setBit(bits, rank);
    return bits;
  },

  why(state, unit, rank) {
    const open = isOpen(state.machines.list[rank] as MachineView);
    return open || mayBeThere(state, unit, rank) ? null : 'the machine is cordoned and takes no new units';
  },
};

const isOpen = (machine: MachineView): boolean => machine.cordoned !== true;

/** A global unit is no newcomer where it was seen, nor where nobody could look. */
function mayBeThere({ machines }: State, unit: Wanted, rank: number): boolean {
  if (!unit.global) return false;
  const machine = machines.list[rank] as MachineView;
  return machine.unreachable === true || (unit.view.machines ?? []).includes(machine.id);
}
