import { type Bits, clearBit, hasBit, setBit, takeAway, wordsFor } from './bits.ts';
import type { Index } from './state.ts';
import type { Wanted } from './units.ts';

/** Per glob, the machines that hold a unit for which `globsOf` names the glob. */
export class GlobPlaces implements Index {
  readonly #bits: (Bits | undefined)[];
  readonly #words: number;
  readonly #globsOf: (unit: Wanted) => readonly number[];

  constructor(globs: number, machines: number, globsOf: (unit: Wanted) => readonly number[]) {
    this.#bits = new Array<Bits | undefined>(globs).fill(undefined);
    this.#words = wordsFor(machines);
    this.#globsOf = globsOf;
  }

  add(unit: Wanted, rank: number): void {
    for (const glob of this.#globsOf(unit)) {
      let bits = this.#bits[glob];
      if (bits === undefined) {
        bits = new Uint32Array(this.#words);
        this.#bits[glob] = bits;
      }
      setBit(bits, rank);
    }
  }

  remove(unit: Wanted, rank: number, rest: readonly Wanted[]): void {
    for (const glob of this.#globsOf(unit)) {
      const bits = this.#bits[glob];
      if (bits !== undefined) clearBit(bits, rank);
    }
    // A unit that stays may hold a glob of the one that leaves.
    if (this.#globsOf(unit).length > 0) for (const other of rest) this.add(other, rank);
  }

  /** True when the machine holds a unit for one of the globs. */
  has(globs: readonly number[], rank: number): boolean {
    for (const glob of globs) {
      const bits = this.#bits[glob];
      if (bits !== undefined && hasBit(bits, rank)) return true;
    }
    return false;
  }

  /** Removes from `bits` every machine that holds a unit for one of the globs. */
  takeFrom(bits: Bits, globs: readonly number[]): void {
    for (const glob of globs) {
      const there = this.#bits[glob];
      if (there !== undefined) takeAway(bits, there);
    }
  }
}
