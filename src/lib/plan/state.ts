import { type Bits, fullBits, hasBit, keepOnly, putIn, ranksOf, setBit, takeAway, wordsFor } from './bits.ts';
import { Loads } from './loads.ts';
import type { MachineTable } from './machines.ts';
import type { Order } from './order.ts';
import type { Wanted, WantedUnits } from './units.ts';

/** Per glob, the machines that hold a unit to which it applies. */
class GlobPlaces {
  readonly #bits: (Bits | undefined)[];
  readonly #words: number;

  constructor(globs: number, machines: number) {
    this.#bits = new Array<Bits | undefined>(globs).fill(undefined);
    this.#words = wordsFor(machines);
  }

  at(glob: number): Bits | undefined {
    return this.#bits[glob];
  }

  ensure(glob: number): Bits {
    let bits = this.#bits[glob];
    if (bits === undefined) {
      bits = new Uint32Array(this.#words);
      this.#bits[glob] = bits;
    }
    return bits;
  }

  mark(globs: readonly number[], rank: number): void {
    for (const glob of globs) setBit(this.ensure(glob), rank);
  }

  drop(globs: readonly number[], rank: number): void {
    const word = rank >>> 5;
    for (const glob of globs) {
      const bits = this.#bits[glob];
      if (bits !== undefined) bits[word] = (bits[word] as number) & ~(1 << (rank & 31));
    }
  }

  has(globs: readonly number[], rank: number): boolean {
    for (const glob of globs) {
      const bits = this.#bits[glob];
      if (bits !== undefined && hasBit(bits, rank)) return true;
    }
    return false;
  }
}

/** Which unit is on which machine at one moment of planning, and what follows from it for the units still to come. */
export class State {
  readonly machines: MachineTable;
  readonly units: WantedUnits;
  readonly order: Order;
  readonly loads: Loads;
  /** Rank of the machine of each ordinary unit, -1 = none. */
  readonly at: Int32Array;
  /** Machines of each global unit that was looked at. */
  readonly globalAt = new Map<number, Bits>();
  readonly #head: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #declared: GlobPlaces;
  readonly #matched: GlobPlaces;
  readonly #replacing: GlobPlaces;

  constructor(machines: MachineTable, units: WantedUnits, order: Order) {
    const count = units.list.length;
    this.machines = machines;
    this.units = units;
    this.order = order;
    this.loads = new Loads(machines.size);
    this.at = new Int32Array(count).fill(-1);
    this.#head = new Int32Array(machines.size).fill(-1);
    this.#next = new Int32Array(count).fill(-1);
    this.#previous = new Int32Array(count).fill(-1);
    this.#declared = new GlobPlaces(units.conflicts.patterns.length, machines.size);
    this.#matched = new GlobPlaces(units.conflicts.patterns.length, machines.size);
    this.#replacing = new GlobPlaces(units.replaces.patterns.length, machines.size);
  }

  unit(index: number): Wanted {
    return this.units.list[index] as Wanted;
  }

  add(unit: Wanted, rank: number): void {
    const { index } = unit;
    this.at[index] = rank;
    const head = this.#head[rank] as number;
    this.#next[index] = head;
    this.#previous[index] = -1;
    if (head >= 0) this.#previous[head] = index;
    this.#head[rank] = index;
    this.loads.change(rank, 1);
    this.#mark(unit, rank);
  }

  remove(unit: Wanted): void {
    const { index } = unit;
    const rank = this.at[index] as number;
    const next = this.#next[index] as number;
    const previous = this.#previous[index] as number;
    if (previous >= 0) this.#next[previous] = next;
    else this.#head[rank] = next;
    if (next >= 0) this.#previous[next] = previous;
    this.at[index] = -1;
    this.loads.change(rank, -1);
    this.#declared.drop(unit.wants.conflicts, rank);
    this.#matched.drop(unit.conflictedBy, rank);
    this.#replacing.drop(unit.wants.replaces, rank);
    // A glob of the unit that left may be held by a neighbour too.
    for (const other of this.on(rank)) this.#mark(other, rank);
  }

  /** Puts a global unit on all its machines at once. */
  addGlobal(unit: Wanted, bits: Bits): void {
    this.globalAt.set(unit.index, bits);
    for (const rank of ranksOf(bits)) this.loads.change(rank, 1);
    for (const glob of unit.wants.conflicts) putIn(this.#declared.ensure(glob), bits);
    for (const glob of unit.conflictedBy) putIn(this.#matched.ensure(glob), bits);
  }

  /** Ordinary and global units on a machine, in no particular order. */
  on(rank: number): Wanted[] {
    const found = this.ordinaryOn(rank);
    for (const [index, bits] of this.globalAt) if (hasBit(bits, rank)) found.push(this.unit(index));
    return found;
  }

  ordinaryOn(rank: number): Wanted[] {
    const found: Wanted[] = [];
    for (let i = this.#head[rank] as number; i >= 0; i = this.#next[i] as number) found.push(this.unit(i));
    return found;
  }

  /** True when the unit named by MachineOf is on the machine. */
  leads(leader: number, rank: number): boolean {
    if (leader < 0) return false;
    return this.unit(leader).global
      ? hasBit(this.globalAt.get(leader) ?? new Uint32Array(wordsFor(this.machines.size)), rank)
      : this.at[leader] === rank;
  }

  conflictsAt(unit: Wanted, rank: number): boolean {
    return this.#declared.has(unit.conflictedBy, rank) || this.#matched.has(unit.wants.conflicts, rank);
  }

  /** The unit on the machine that `unit` would be pushed away by, if any. */
  replacerAt(unit: Wanted, rank: number): Wanted | undefined {
    if (unit.replacedBy.length === 0 || !this.#replacing.has(unit.replacedBy, rank)) return undefined;
    return this.ordinaryOn(rank).find((other) => this.replaces(other, unit));
  }

  /** Ordinary units on the machine that `unit` pushes away. */
  replacedAt(unit: Wanted, rank: number): Wanted[] {
    if (unit.wants.replaces.length === 0) return [];
    return this.ordinaryOn(rank).filter((other) => this.replaces(unit, other));
  }

  /** Does `a` push `b` away? Not if both push each other, directly or in a circle. */
  replaces(a: Wanted, b: Wanted): boolean {
    if (a === b || a.global || b.global || !this.units.anyReplaces) return false;
    if (this.order.circle[a.index] === this.order.circle[b.index]) return false;
    return a.wants.replaces.some((glob) => b.replacedBy.includes(glob));
  }

  /** fleet's able-to-run: MachineID, metadata, MachineOf, Conflicts; then nobody there may replace it. */
  fits(unit: Wanted, rank: number): boolean {
    const qualified = this.machines.qualified(unit.wants.requirements);
    if (qualified !== null && !hasBit(qualified, rank)) return false;
    if (this.order.circular[unit.index] === 1) return false;
    for (const leader of unit.leaders) if (!this.leads(leader, rank)) return false;
    return !this.conflictsAt(unit, rank) && this.replacerAt(unit, rank) === undefined;
  }

  /** Machines that can take an ordinary unit without a leader; a global one too, `open` aside. */
  candidates(unit: Wanted, from: Bits): Bits {
    const bits = from.slice();
    const qualified = this.machines.qualified(unit.wants.requirements);
    if (qualified !== null) keepOnly(bits, qualified);
    for (const glob of unit.conflictedBy) this.#without(bits, this.#declared.at(glob));
    for (const glob of unit.wants.conflicts) this.#without(bits, this.#matched.at(glob));
    if (unit.replacedBy.length === 0 || unit.global) return bits;
    if (this.order.circleSize(unit.index) === 1) {
      for (const glob of unit.replacedBy) this.#without(bits, this.#replacing.at(glob));
      return bits;
    }
    for (const rank of ranksOf(bits)) {
      if (this.replacerAt(unit, rank) !== undefined) {
        const word = rank >>> 5;
        bits[word] = (bits[word] as number) & ~(1 << (rank & 31));
      }
    }
    return bits;
  }

  /** Global units whose Conflicts are not looked at yet are taken to be wherever they qualify. */
  assumeGlobals(): void {
    for (const unit of this.units.list) {
      if (!unit.global) continue;
      const qualified = this.machines.qualified(unit.wants.requirements);
      this.globalAt.set(unit.index, this.#welcome(unit, qualified?.slice() ?? fullBits(this.machines.size)));
    }
  }

  /** Decides every global unit by name: metadata, then conflicts with what is already there. */
  settleGlobals(): void {
    this.globalAt.clear();
    for (const unit of this.units.list) {
      if (!unit.global) continue;
      this.addGlobal(unit, this.#welcome(unit, this.candidates(unit, fullBits(this.machines.size))));
    }
  }

  /** A cordoned machine keeps the global units that it has and takes no others. */
  #welcome(unit: Wanted, bits: Bits): Bits {
    const there = new Set(unit.view.machines ?? []);
    this.machines.list.forEach((machine, rank) => {
      if (!machine.cordoned || machine.unreachable || there.has(machine.id)) return;
      const word = rank >>> 5;
      bits[word] = (bits[word] as number) & ~(1 << (rank & 31));
    });
    return bits;
  }

  #without(bits: Bits, other: Bits | undefined): void {
    if (other !== undefined) takeAway(bits, other);
  }

  #mark(unit: Wanted, rank: number): void {
    this.#declared.mark(unit.wants.conflicts, rank);
    this.#matched.mark(unit.conflictedBy, rank);
    if (!unit.global) this.#replacing.mark(unit.wants.replaces, rank);
  }
}
