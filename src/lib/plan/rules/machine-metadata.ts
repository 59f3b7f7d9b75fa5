import { type Bits, fullBits, keepOnly, putIn, wordsFor } from '../bits.ts';
import type { MachineTable } from '../machines.ts';
import type { Wants } from '../units.ts';
import type { Rule } from './rule.ts';

/** MachineMetadata=: the machine has one of the values of every key that is named. */
export const machineMetadata: Rule = {
  name: 'machine-metadata',

  candidates({ machines }, { wants }) {
    return wants.metadata.length === 0 ? null : machines.meeting(wants, having);
  },

  why({ machines }, { wants }, rank) {
    for (const [key, values] of wants.metadata) {
      const value = machines.value(rank, key);
      if (value !== undefined && values.includes(value)) continue;
      const wanted = values.map((v) => `${key}=${v}`).join(' or ');
      const found = value === undefined ? `no ${key}` : `${key}=${value}`;
      return `MachineMetadata wants ${wanted}; this machine has ${found}`;
    }
    return null;
  },
};

function having(machines: MachineTable, { metadata }: Wants): Bits {
  const bits = fullBits(machines.size);
  for (const [key, values] of metadata) {
    const any = new Uint32Array(wordsFor(machines.size));
    for (const value of values) {
      const those = machines.having(key, value);
      if (those !== undefined) putIn(any, those);
    }
    keepOnly(bits, any);
  }
  return bits;
}
