import { ClusterError } from '../error.ts';
import type { Requirements } from '../unit/index.ts';
import { type Bits, clearBit, fullBits, hasBit, keepOnly, setBit, wordsFor } from './bits.ts';
import type { MachineView } from './model.ts';

const SHORT_ID = 8;

/** The machines of a snapshot sorted by id, and which of them answer to an id or have a metadata value. */
export class MachineTable {
  readonly list: readonly MachineView[];
  /** Machines that take new units. */
  readonly open: Bits;
  readonly #rankById = new Map<string, number>();
  readonly #byWantedId = new Map<string, number[]>();
  readonly #values = new Map<string, Map<string, Bits>>();
  readonly #qualified = new Map<Requirements, Bits | null>();

  constructor(machines: readonly MachineView[]) {
    this.list = [...machines].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    this.open = fullBits(this.list.length);
    this.list.forEach((machine, rank) => {
      const { id } = machine;
      if (this.#rankById.has(id)) {
        throw new ClusterError('machine-duplicate', `machine ${id} is there twice`, { machine: id });
      }
      this.#rankById.set(id, rank);
      for (const wanted of new Set([id, id.slice(0, SHORT_ID)])) {
        const ranks = this.#byWantedId.get(wanted);
        if (ranks === undefined) this.#byWantedId.set(wanted, [rank]);
        else ranks.push(rank);
      }
      if (machine.cordoned || machine.unreachable) clearBit(this.open, rank);
      for (const [key, value] of Object.entries(machine.metadata)) this.#remember(key, value, rank);
    });
  }

  get size(): number {
    return this.list.length;
  }

  id(rank: number): string {
    return (this.list[rank] as MachineView).id;
  }

  /** -1 when there is no such machine. */
  rank(id: string): number {
    return this.#rankById.get(id) ?? -1;
  }

  /** Machines whose full or short id is the wanted one. */
  answering(wantedId: string): readonly number[] {
    return this.#byWantedId.get(wantedId) ?? [];
  }

  hasKey(key: string): boolean {
    return this.#values.has(key);
  }

  /** Machines that meet MachineID and MachineMetadata; null = all of them. */
  qualified(requirements: Requirements): Bits | null {
    const known = this.#qualified.get(requirements);
    if (known !== undefined) return known;
    const bits = this.#computeQualified(requirements);
    this.#qualified.set(requirements, bits);
    return bits;
  }

  #computeQualified({ machineId, metadata }: Requirements): Bits | null {
    const wanted = Object.entries(metadata);
    if (machineId === null && wanted.length === 0) return null;
    const bits = fullBits(this.size);
    for (const [key, values] of wanted) {
      const any = new Uint32Array(wordsFor(this.size));
      for (const value of values) {
        const having = this.#values.get(key)?.get(value);
        if (having !== undefined)
          for (let w = 0; w < any.length; w++) any[w] = (any[w] as number) | (having[w] as number);
      }
      keepOnly(bits, any);
    }
    if (machineId === null) return bits;
    const named = new Uint32Array(wordsFor(this.size));
    for (const rank of this.answering(machineId)) if (hasBit(bits, rank)) setBit(named, rank);
    return named;
  }

  #remember(key: string, value: string, rank: number): void {
    let values = this.#values.get(key);
    if (values === undefined) {
      values = new Map();
      this.#values.set(key, values);
    }
    let bits = values.get(value);
    if (bits === undefined) {
      bits = new Uint32Array(wordsFor(this.list.length));
      values.set(value, bits);
    }
    setBit(bits, rank);
  }
}
