import type { Requirements } from '../../unit/index.ts';
import { type Bits, fullBits, keepOnly, putIn, wordsFor } from '../bits.ts';
import type { MachineTable } from '../machines.ts';
import type { Rule } from './rule.ts';

/** MachineMetadata=: the machine has one of the values of every key that is named. */
export const machineMetadata: Rule = {
  name: 'machine-metadata',

  candidates({ machines }, { wants }) {
    return machines.meeting(wants.requirements, having);
  },

  why({ machines }, { wants }, rank) {
    const { metadata } = wants.requirements;
    for (const key of Object.keys(metadata)) {
      const values = metadata[key] ?? [];
      const value = machines.value(rank, key);
      if (value !== undefined && values.includes(value)) continue;
      const wanted = values.map((v) => `${key}=${v}`).join(' or ');
      const found = value === undefined ? `no ${key}` : `${key}=${value}`;
      return `MachineMetadata wants ${wanted}; this machine has ${found}`;
    }
    return null;
  },
};

function having(machines: MachineTable, { metadata }: Requirements): Bits | null {
  const wanted = Object.entries(metadata);
  if (wanted.length === 0) return null;
  const bits = fullBits(machines.size);
  for (const [key, values] of wanted) {
    const any = new Uint32Array(wordsFor(machines.size));
    for (const value of values) {
      const those = machines.having(key, value);
      if (those !== undefined) putIn(any, those);
    }
    keepOnly(bits, any);
  }
  return bits;
}
