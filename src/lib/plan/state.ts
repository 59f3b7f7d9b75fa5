import { type Bits, hasBit, KeptIntersections, ranksOf } from './bits.ts';
import { Loads } from './loads.ts';
import type { MachineTable } from './machines.ts';
import type { Order } from './order.ts';
import type { Wanted, WantedUnits } from './units.ts';

/** Something that a rule or a preference counts while units come and go. */
export interface Index {
  /** The unit came to the machine; a global unit comes to each of its machines. */
  add(unit: Wanted, rank: number): void;
  /** The unit left the machine, where the units of `rest` stay. */
  remove(unit: Wanted, rank: number, rest: readonly Wanted[]): void;
}

/** Makes an index over an empty cluster. */
export type MakeIndex<T extends Index> = (machines: MachineTable, units: WantedUnits) => T;

/** What the rounds of one planning run share. */
export interface Setting {
  readonly machines: MachineTable;
  readonly units: WantedUnits;
  readonly order: Order;
  /** The indexes to keep, those of all rules and preferences. */
  readonly indexes: readonly MakeIndex<Index>[];
}

/** Which unit is on which machine at one moment of planning. It knows no rule: rules read it. */
export class State {
  readonly machines: MachineTable;
  readonly units: WantedUnits;
  readonly order: Order;
  readonly loads: Loads;
  /** False in the round that ends endless replacing. */
  readonly mayReplace: boolean;
  /** Rank of the machine of each ordinary unit, -1 = none. */
  readonly at: Int32Array;
  /** Machines of each global unit that was decided, or assumed to be there. */
  readonly globalAt = new Map<number, Bits>();
  /** For the rules about newcomers, whose candidates are the same for almost every unit. */
  readonly intersections = new KeptIntersections();
  // The ordinary units of a machine are a doubly linked list, `head` by machine, `next` and `previous` by unit.
  readonly #head: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #byMaker = new Map<MakeIndex<Index>, Index>();
  readonly #indexes: readonly Index[];

  constructor({ machines, units, order, indexes }: Setting, mayReplace: boolean) {
    const count = units.list.length;
    this.machines = machines;
    this.units = units;
    this.order = order;
    this.mayReplace = mayReplace;
    this.loads = new Loads(machines.size);
    this.at = new Int32Array(count).fill(-1);
    this.#head = new Int32Array(machines.size).fill(-1);
    this.#next = new Int32Array(count).fill(-1);
    this.#previous = new Int32Array(count).fill(-1);
    for (const make of indexes) this.#byMaker.set(make, make(machines, units));
    this.#indexes = [...this.#byMaker.values()];
  }

  unit(index: number): Wanted {
    return this.units.list[index] as Wanted;
  }

  /** The index that `make` made; the rule or preference must name it among its `indexes`. */
  index<T extends Index>(make: MakeIndex<T>): T {
    return this.#byMaker.get(make) as T;
  }

  /** Puts an ordinary unit that is nowhere on a machine. */
  add(unit: Wanted, rank: number): void {
    const { index } = unit;
    this.at[index] = rank;

    const head = this.#head[rank] as number;
    this.#next[index] = head;
    this.#previous[index] = -1;
    if (head >= 0) this.#previous[head] = index;
    this.#head[rank] = index;

    this.loads.change(rank, 1);
    for (const one of this.#indexes) one.add(unit, rank);
  }

  /** Takes an ordinary unit off its machine. */
  remove(unit: Wanted): void {
    const { index } = unit;
    const rank = this.at[index] as number;
    this.at[index] = -1;

    const next = this.#next[index] as number;
    const previous = this.#previous[index] as number;
    if (previous >= 0) this.#next[previous] = next;
    else this.#head[rank] = next;
    if (next >= 0) this.#previous[next] = previous;

    this.loads.change(rank, -1);
    const rest = this.on(rank);
    for (const one of this.#indexes) one.remove(unit, rank, rest);
  }

  /** Puts a global unit on all its machines at once. */
  addGlobal(unit: Wanted, bits: Bits): void {
    this.globalAt.set(unit.index, bits);
    for (const rank of ranksOf(bits)) {
      this.loads.change(rank, 1);
      for (const one of this.#indexes) one.add(unit, rank);
    }
  }

  /** Ordinary and global units on a machine, in no particular order. */
  on(rank: number): Wanted[] {
    const found = this.ordinaryOn(rank);
    for (const [index, bits] of this.globalAt) if (hasBit(bits, rank)) found.push(this.unit(index));
    return found;
  }

  /** Ordinary units on a machine, in no particular order. */
  ordinaryOn(rank: number): Wanted[] {
    const found: Wanted[] = [];
    for (let i = this.#head[rank] as number; i >= 0; i = this.#next[i] as number) found.push(this.unit(i));
    return found;
  }
}
