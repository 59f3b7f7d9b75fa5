import { type Bits, setBit, wordsFor } from '../bits.ts';
import type { MachineTable } from '../machines.ts';
import type { Wants } from '../units.ts';
import type { Rule } from './rule.ts';

/** MachineID=: only the machine with this id, full or short. */
export const machineId: Rule = {
  name: 'machine-id',

  candidates({ machines }, { wants }) {
    return wants.requirements.machineId === null ? null : machines.meeting(wants, named);
  },

  why({ machines }, { wants }, rank) {
    const { machineId: id } = wants.requirements;
    if (id === null || machines.answering(id).includes(rank)) return null;
    return `MachineID=${id} is not this machine`;
  },
};

function named(machines: MachineTable, { requirements }: Wants): Bits {
  const bits = new Uint32Array(wordsFor(machines.size));
  for (const rank of machines.answering(requirements.machineId ?? '')) setBit(bits, rank);
  return bits;
}
