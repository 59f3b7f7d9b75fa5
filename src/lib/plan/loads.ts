import { type Bits, clearBit, firstCommon, hasAtMost, ranksOf, setBit, wordsFor } from './bits.ts';

/** Below this many candidates, looking at each is cheaper than walking the buckets. */
const FEW = 64;

/** How many units each machine has, with the machines of equal load kept together, lowest load first. */
export class Loads {
  readonly #load: Int32Array;
  readonly #size: number;
  readonly #buckets = new Map<number, { readonly bits: Bits; count: number }>();
  /** Loads that some machine has, ascending. */
  readonly #levels: number[] = [];

  constructor(size: number) {
    this.#size = size;
    this.#load = new Int32Array(size);
  }

  /** Number of units on a machine. */
  of(rank: number): number {
    return this.#load[rank] as number;
  }

  /** Sorts the machines into buckets, which `least` needs; `change` keeps them from here on. */
  build(): void {
    for (let rank = 0; rank < this.#size; rank++) this.#enter(rank, this.#load[rank] as number);
  }

  change(rank: number, by: 1 | -1): void {
    const before = this.#load[rank] as number;
    this.#load[rank] = before + by;
    const bucket = this.#buckets.get(before);
    if (bucket === undefined) return;
    clearBit(bucket.bits, rank);
    bucket.count--;
    if (bucket.count === 0) {
      this.#buckets.delete(before);
      this.#levels.splice(this.#levels.indexOf(before), 1);
    }
    this.#enter(rank, before + by);
  }

  /** The least loaded of the candidates, ties by rank; -1 when there is none. */
  least(candidates: Bits): number {
    if (hasAtMost(candidates, FEW)) return this.#leastOf(ranksOf(candidates));
    for (const level of this.#levels) {
      const bucket = this.#buckets.get(level);
      const rank = bucket === undefined ? -1 : firstCommon(bucket.bits, candidates);
      if (rank >= 0) return rank;
    }
    return -1;
  }

  /** As `least`, for ranks in ascending order. */
  #leastOf(ranks: readonly number[]): number {
    let best = -1;
    for (const rank of ranks) {
      if (best < 0 || (this.#load[rank] as number) < (this.#load[best] as number)) best = rank;
    }
    return best;
  }

  #enter(rank: number, load: number): void {
    let bucket = this.#buckets.get(load);
    if (bucket === undefined) {
      bucket = { bits: new Uint32Array(wordsFor(this.#size)), count: 0 };
      this.#buckets.set(load, bucket);
      let low = 0;
      let high = this.#levels.length;
      while (low < high) {
        const mid = (low + high) >>> 1;
        if ((this.#levels[mid] as number) < load) low = mid + 1;
        else high = mid;
      }
      this.#levels.splice(low, 0, load);
    }
    setBit(bucket.bits, rank);
    bucket.count++;
  }
}
