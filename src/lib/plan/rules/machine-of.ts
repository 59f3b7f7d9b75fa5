import { type Bits, fullBits, hasBit, keepOnly, setBit, wordsFor } from '../bits.ts';
import type { State } from '../state.ts';
import type { Wanted } from '../units.ts';
import type { Rule } from './rule.ts';

/** MachineOf=: only the machine where all the leaders are. place.ts decides leaders before followers. */
export const machineOf: Rule = {
  name: 'machine-of',

  candidates(state, unit) {
    if (unit.leaders.length === 0) return null;
    if (isCircular(state, unit)) return new Uint32Array(wordsFor(state.machines.size));
    const bits = fullBits(state.machines.size);
    for (const leader of unit.leaders) keepOnly(bits, machinesOf(state, leader));
    return bits;
  },

  why(state, unit, rank) {
    const { leaders } = unit;
    if (leaders.length === 0) return null;
    const missing = leaders.findIndex((leader) => !leads(state, leader, rank));
    if (missing < 0 && !isCircular(state, unit)) return null;
    const circle = circleOf(state, unit);
    if (circle !== null) return circle;
    const name = unit.wants.requirements.machineOf[missing] ?? '';
    return `MachineOf=${name}, ${whereIs(state, leaders[missing] ?? -1, name)}`;
  },
};

/** True when a unit that MachineOf names is on the machine; `leader` is its index, -1 for an unknown one. */
export function leads(state: State, leader: number, rank: number): boolean {
  if (leader < 0) return false;
  if (!state.unit(leader).global) return state.at[leader] === rank;
  const bits = state.globalAt.get(leader);
  return bits !== undefined && hasBit(bits, rank);
}

function machinesOf(state: State, leader: number): Bits {
  const global = leader < 0 ? undefined : state.globalAt.get(leader);
  if (global !== undefined) return global;
  const bits = new Uint32Array(wordsFor(state.machines.size));
  const rank = leader < 0 ? -1 : (state.at[leader] as number);
  if (rank >= 0) setBit(bits, rank);
  return bits;
}

const isCircular = (state: State, unit: Wanted): boolean => state.order.circular[unit.index] === 1;

function whereIs(state: State, leader: number, name: string): string {
  if (leader < 0) return state.units.known.has(name) ? 'which is inactive' : 'which does not exist';
  if (state.unit(leader).global) return 'a global unit that does not run here';
  const rank = state.at[leader] as number;
  return rank < 0 ? 'which has no machine itself' : `which is on ${state.machines.id(rank)}`;
}

/** `a -> b -> a` when the unit is itself part of a MachineOf circle. */
function circleOf(state: State, unit: Wanted): string | null {
  if (!isCircular(state, unit)) return null;
  const from = new Map<number, number>();
  const queue = [unit.index];

  for (const index of queue) {
    for (const leader of state.unit(index).leaders) {
      if (leader === unit.index) {
        const path = [unit.name];
        for (let i = index; i !== unit.index; i = from.get(i) as number) path.push(state.unit(i).name);
        path.push(unit.name);
        if (path.length === 2) return 'MachineOf names the unit itself';
        return `MachineOf goes in a circle: ${path.reverse().join(' -> ')}`;
      }
      if (leader < 0 || from.has(leader)) continue;
      from.set(leader, index);
      queue.push(leader);
    }
  }
  return null;
}
