import { ClusterError } from '../error.ts';
import { type Bits, fullBits, setBit, wordsFor } from './bits.ts';
import type { MachineView } from './model.ts';
import type { Wants } from './units.ts';

const SHORT_ID = 8;

/** Which machines meet one part of what units want. */
export type Meets = (machines: MachineTable, wants: Wants) => Bits;

/** The machines of a snapshot sorted by id: a machine's rank is its position. Sets that it hands out are shared. */
export class MachineTable {
  readonly list: readonly MachineView[];
  /** Every machine. */
  readonly all: Bits;
  readonly #rankById = new Map<string, number>();
  readonly #byWantedId = new Map<string, number[]>();
  readonly #values = new Map<string, Map<string, Bits>>();
  readonly #meeting = new Map<Meets, Map<Wants, Bits>>();
  readonly #those = new Map<(machine: MachineView) => boolean, Bits | null>();

  constructor(machines: readonly MachineView[]) {
    this.list = [...machines].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    this.all = fullBits(this.list.length);
    this.list.forEach(({ id, metadata }, rank) => {
      if (this.#rankById.has(id)) {
        throw new ClusterError('machine-duplicate', `machine ${id} is listed twice`, { machine: id });
      }
      this.#rankById.set(id, rank);
      for (const wanted of new Set([id, id.slice(0, SHORT_ID)])) {
        const ranks = this.#byWantedId.get(wanted);
        if (ranks === undefined) this.#byWantedId.set(wanted, [rank]);
        else ranks.push(rank);
      }
      for (const [key, value] of Object.entries(metadata)) this.#remember(key, value, rank);
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

  /** Ranks of the machines whose full or short id is the wanted one. */
  answering(wantedId: string): readonly number[] {
    return this.#byWantedId.get(wantedId) ?? [];
  }

  /** True when any machine has the metadata key. */
  hasKey(key: string): boolean {
    return this.#values.has(key);
  }

  /** A machine's metadata value. */
  value(rank: number, key: string): string | undefined {
    const { metadata } = this.list[rank] as MachineView;
    return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
  }

  /** Machines with this metadata value; undefined = none. */
  having(key: string, value: string): Bits | undefined {
    return this.#values.get(key)?.get(value);
  }

  /** What `meets` finds, computed once: units from one template share what they want. */
  meeting(wants: Wants, meets: Meets): Bits {
    let known = this.#meeting.get(meets);
    if (known === undefined) {
      known = new Map();
      this.#meeting.set(meets, known);
    }
    let bits = known.get(wants);
    if (bits === undefined) {
      bits = meets(this, wants);
      known.set(wants, bits);
    }
    return bits;
  }

  /** The machines for which `test` is true, computed once for each test; null = all of them. */
  those(test: (machine: MachineView) => boolean): Bits | null {
    let bits = this.#those.get(test);
    if (bits === undefined) {
      bits = this.list.every(test) ? null : new Uint32Array(wordsFor(this.size));
      if (bits !== null)
        for (const [rank, machine] of this.list.entries()) if (test(machine)) setBit(bits, rank);
      this.#those.set(test, bits);
    }
    return bits;
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
