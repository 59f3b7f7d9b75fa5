import { type Bits, fullBits, hasBit, setBit, takeAway, wordsFor } from '../bits.ts';
import type { MachineTable } from '../machines.ts';
import type { Index, MakeIndex, State } from '../state.ts';
import type { Wanted } from '../units.ts';
import { replacedAt } from './replaces.ts';
import { candidatesByAsking, type Rule } from './rule.ts';

/** By port, the machines where a unit has it. */
class PortPlaces implements Index {
  readonly #bits = new Map<number, Bits>();
  readonly #words: number;

  constructor({ size }: MachineTable) {
    this.#words = wordsFor(size);
  }

  add(unit: Wanted, rank: number): void {
    for (const port of portsOf(unit)) {
      let bits = this.#bits.get(port);
      if (bits === undefined) {
        bits = new Uint32Array(this.#words);
        this.#bits.set(port, bits);
      }
      setBit(bits, rank);
    }
  }

  remove(unit: Wanted, rank: number, rest: readonly Wanted[]): void {
    if (unit.wants.requirements.ports.length === 0) return;
    for (const port of portsOf(unit)) {
      const bits = this.#bits.get(port);
      if (bits !== undefined) bits[rank >>> 5] = (bits[rank >>> 5] as number) & ~(1 << (rank & 31));
    }
    for (const other of rest) this.add(other, rank);
  }

  /** Removes from `bits` every machine where one of the unit's ports is taken. */
  takeFrom(bits: Bits, unit: Wanted): void {
    for (const port of portsOf(unit)) {
      const there = this.#bits.get(port);
      if (there !== undefined) takeAway(bits, there);
    }
  }

  isTaken(unit: Wanted, rank: number): boolean {
    for (const port of portsOf(unit)) {
      const bits = this.#bits.get(port);
      if (bits !== undefined && hasBit(bits, rank)) return true;
    }
    return false;
  }
}

const places: MakeIndex<PortPlaces> = (machines) => new PortPlaces(machines);

/** Ports=: not beside a unit that has one of the ports, unless this one pushes it away (Replaces=). */
export const ports: Rule = {
  name: 'ports',
  indexes: [places],

  candidates(state, unit) {
    if (unit.wants.requirements.ports.length === 0) return null;
    if (unit.wants.replaces.length > 0) return candidatesByAsking(this, state, unit);
    const bits = fullBits(state.machines.size);
    state.index(places).takeFrom(bits, unit);
    return bits;
  },

  why(state, unit, rank) {
    if (unit.wants.requirements.ports.length === 0 || !state.index(places).isTaken(unit, rank)) return null;
    return whoHas(state, unit, rank);
  },
};

function whoHas(state: State, unit: Wanted, rank: number): string | null {
  const leaving = new Set(replacedAt(state, unit, rank));
  const here = state.on(rank).filter((other) => !leaving.has(other));
  for (const other of here.sort((a, b) => a.index - b.index))
    for (const theirs of other.wants.requirements.ports)
      for (const own of unit.wants.requirements.ports) {
        const port = Math.max(own.from, theirs.from);
        if (port <= Math.min(own.to, theirs.to))
          return `port ${port} is taken by ${other.name}, which is here`;
      }
  return null;
}

function* portsOf({ wants }: Wanted): Generator<number> {
  for (const { from, to } of wants.requirements.ports) for (let port = from; port <= to; port++) yield port;
}
