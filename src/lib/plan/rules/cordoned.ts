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
    const machine = state.machines.list[rank] as MachineView;
    if (isOpen(machine) || mayBeThere(state, unit, rank)) return null;
    return `the machine is cordoned${byWhom(machine)} and takes no new units`;
  },
};

const isOpen = ({ cordoned: isClosed, cordons = {} }: MachineView): boolean =>
  isClosed !== true && Object.keys(cordons).length === 0;

function byWhom({ cordons = {} }: MachineView): string {
  const owners = Object.entries(cordons).map(([owner, { reason }]) =>
    reason === undefined ? owner : `${owner} (${reason})`,
  );
  return owners.length === 0 ? '' : ` by ${owners.join(' and ')}`;
}

/** A global unit is no newcomer where its machine's cordons name it, where it was seen, nor where nobody could look. */
function mayBeThere({ machines }: State, unit: Wanted, rank: number): boolean {
  if (!unit.global) return false;
  const { id, cordoned: isClosed, unreachable, cordons = {} } = machines.list[rank] as MachineView;
  if (!Object.values(cordons).every(({ globals }) => globals?.includes(unit.name) ?? true)) return false;
  if (isClosed !== true) return true;
  return unreachable === true || (unit.view.machines ?? []).includes(id);
}
