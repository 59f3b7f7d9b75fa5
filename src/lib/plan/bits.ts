/** A set of machine ranks (positions in the list of machines sorted by id). */
export type Bits = Uint32Array;

/** Words that a set over `size` ranks needs. */
export const wordsFor = (size: number): number => (size + 31) >>> 5;

/** Every rank below `size`. */
export function fullBits(size: number): Bits {
  const bits = new Uint32Array(wordsFor(size)).fill(0xffffffff);
  const rest = size & 31;
  if (rest !== 0) bits[bits.length - 1] = (1 << rest) - 1;
  return bits;
}

/** True when the rank is in the set. */
export const hasBit = (bits: Bits, rank: number): boolean =>
  ((bits[rank >>> 5] as number) & (1 << (rank & 31))) !== 0;

export function setBit(bits: Bits, rank: number): void {
  const word = rank >>> 5;
  bits[word] = (bits[word] as number) | (1 << (rank & 31));
}

export function clearBit(bits: Bits, rank: number): void {
  const word = rank >>> 5;
  bits[word] = (bits[word] as number) & ~(1 << (rank & 31));
}

/** target &= other */
export function keepOnly(target: Bits, other: Bits): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] as number) & (other[w] as number);
}

/** target &= ~other */
export function takeAway(target: Bits, other: Bits): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] as number) & ~(other[w] as number);
}

/** a & b */
export function intersect(a: Bits, b: Bits): Bits {
  const bits = a.slice();
  keepOnly(bits, b);
  return bits;
}

/** `intersect` for sets that are shared by many units: each first set's last answer is kept. */
export class KeptIntersections {
  readonly #kept = new WeakMap<Bits, { readonly other: Bits; readonly both: Bits }>();

  of(a: Bits, b: Bits): Bits {
    const kept = this.#kept.get(a);
    if (kept?.other === b) return kept.both;
    const both = intersect(a, b);
    this.#kept.set(a, { other: b, both });
    return both;
  }
}

/** target |= other */
export function putIn(target: Bits, other: Bits): void {
  for (let w = 0; w < target.length; w++) target[w] = (target[w] as number) | (other[w] as number);
}

/** Lowest rank that is in both sets, or -1. */
export function firstCommon(a: Bits, b: Bits): number {
  for (let w = 0; w < a.length; w++) {
    const word = (a[w] as number) & (b[w] as number);
    if (word !== 0) return (w << 5) + lowest(word);
  }
  return -1;
}

/** Ranks in ascending order; stops early once `limit` of them are found. */
export function ranksOf(bits: Bits, limit = Number.POSITIVE_INFINITY): number[] {
  const out: number[] = [];
  for (let w = 0; w < bits.length; w++) {
    let word = bits[w] as number;
    while (word !== 0) {
      if (out.length >= limit) return out;
      out.push((w << 5) + lowest(word));
      word &= word - 1;
    }
  }
  return out;
}

/** True when the set has no more than `limit` ranks; looks no further than it must. */
export function hasAtMost(bits: Bits, limit: number): boolean {
  let count = 0;
  for (let w = 0; w < bits.length; w++) {
    for (let word = bits[w] as number; word !== 0; word &= word - 1) count++;
    if (count > limit) return false;
  }
  return true;
}

const lowest = (word: number): number => 31 - Math.clz32(word & -word);
