import type { Index, MakeIndex } from './state.ts';
import type { Wanted } from './units.ts';

const NONE: ReadonlyMap<number, number> = new Map();

/** How many instances of each template are on which machine, for templates of which an instance counts them. */
export class GroupCounts implements Index {
  readonly #counts = new Map<number, Map<number, number>>();
  /** By group and machine the lowest MaxPerMachine of those that are there. */
  readonly #limits = new Map<number, Map<number, number>>();

  /** By rank of the machine; machines with none are left out. */
  of(group: number): ReadonlyMap<number, number> {
    return this.#counts.get(group) ?? NONE;
  }

  count(group: number, rank: number): number {
    return this.of(group).get(rank) ?? 0;
  }

  /** Infinity where nobody there sets a limit. */
  limit(group: number, rank: number): number {
    return this.#limits.get(group)?.get(rank) ?? Number.POSITIVE_INFINITY;
  }

  /** Whether anybody of the group sets a limit anywhere. */
  hasLimit(group: number): boolean {
    return (this.#limits.get(group)?.size ?? 0) > 0;
  }

  add({ group, wants }: Wanted, rank: number): void {
    if (group < 0) return;
    const counts = inner(this.#counts, group);
    counts.set(rank, (counts.get(rank) ?? 0) + 1);
    const { maxPerMachine } = wants.requirements;
    if (maxPerMachine !== null) lower(inner(this.#limits, group), rank, maxPerMachine);
  }

  remove({ group }: Wanted, rank: number, rest: readonly Wanted[]): void {
    if (group < 0) return;
    const counts = inner(this.#counts, group);
    const left = (counts.get(rank) ?? 0) - 1;
    if (left > 0) counts.set(rank, left);
    else counts.delete(rank);

    const limits = this.#limits.get(group);
    if (limits === undefined) return;
    limits.delete(rank);
    for (const other of rest) {
      const { maxPerMachine } = other.wants.requirements;
      if (other.group === group && maxPerMachine !== null) lower(limits, rank, maxPerMachine);
    }
  }
}

/** The one index of MaxPerMachine and Spread. */
export const groupCounts: MakeIndex<GroupCounts> = () => new GroupCounts();

function inner(outer: Map<number, Map<number, number>>, key: number): Map<number, number> {
  let found = outer.get(key);
  if (found === undefined) {
    found = new Map();
    outer.set(key, found);
  }
  return found;
}

function lower(limits: Map<number, number>, rank: number, limit: number): void {
  limits.set(rank, Math.min(limits.get(rank) ?? limit, limit));
}
