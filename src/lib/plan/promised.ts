import type { MachineTable } from './machines.ts';
import type { MachineView } from './model.ts';
import type { Index, MakeIndex, State } from './state.ts';
import type { Wanted } from './units.ts';

/** Something that machines have an amount of, and that units take a share of. */
export interface Resource {
  /** The rule's name, and the key of `[X-Fleet]` in lower case. */
  readonly name: 'memory' | 'cpu';
  /** What a unit takes; 0 = nothing. */
  readonly of: (unit: Wanted) => number;
  /** What units may take of a machine, in the same measure; undefined = not known. */
  readonly capacity: (machine: MachineView) => number | undefined;
}

/** A tenth of the memory is left to the system and to what is not placed by us. */
const USABLE = 0.9;
const THOUSANDTHS = 1000;

export const MEMORY: Resource = {
  name: 'memory',
  of: ({ wants }) => wants.requirements.memory,
  capacity: ({ facts }) => (facts?.memory === undefined ? undefined : Math.floor(facts.memory * USABLE)),
};

export const CPU: Resource = {
  name: 'cpu',
  of: ({ wants }) => wants.requirements.cpu,
  capacity: ({ facts }) => (facts?.cpus === undefined ? undefined : facts.cpus * THOUSANDTHS),
};

/** How much of a resource each machine's units take together. */
class Promised implements Index {
  readonly #amounts: Float64Array;
  readonly #of: Resource['of'];

  constructor({ size }: MachineTable, resource: Resource) {
    this.#amounts = new Float64Array(size);
    this.#of = resource.of;
  }

  on(rank: number): number {
    return this.#amounts[rank] as number;
  }

  add(unit: Wanted, rank: number): void {
    const amount = this.#of(unit);
    if (amount > 0) this.#amounts[rank] = this.on(rank) + amount;
  }

  remove(unit: Wanted, rank: number): void {
    const amount = this.#of(unit);
    if (amount > 0) this.#amounts[rank] = this.on(rank) - amount;
  }
}

const makers = new Map<Resource, MakeIndex<Promised>>(
  [MEMORY, CPU].map((resource) => [resource, (machines) => new Promised(machines, resource)]),
);

/** The index of a resource, for the `indexes` of those that read it. */
export const promisedOf = (resource: Resource): MakeIndex<Promised> =>
  makers.get(resource) as MakeIndex<Promised>;

/** What is taken of a machine already. */
export const promisedOn = (state: State, resource: Resource, rank: number): number =>
  state.index(promisedOf(resource)).on(rank);
