import { type Lock, released } from '../rollout/index.ts';
import type { Compare, Revision, Store, Write } from '../store/port.ts';
import { below } from './keys.ts';
import type { Problem } from './model.ts';
import { readLock } from './validate-lock.ts';

/** A lock as it is recorded. */
export interface LockEntry {
  readonly name: string;
  readonly lock: Lock;
  /** Of the last write of the record. */
  readonly revision: Revision;
}

export interface LocksState {
  /** By name. */
  readonly locks: ReadonlyMap<string, LockEntry>;
  readonly problems: readonly Problem[];
}

/** A lock that is to be recorded, if it is still what was read; without holders its key goes. */
export interface LockEdit {
  readonly name: string;
  readonly lock: Lock;
  /** 0 = it was not there. */
  readonly revision: Revision;
}

/** How often a slot is given back again because somebody else changed the lock at the same moment. */
const ATTEMPTS = 20;

/** Which machines are away by a rollout. A record is written only by who has read its newest revision. */
export class LockRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = locksBelow(prefix);
  }

  async load(): Promise<LocksState> {
    const { entries } = await this.#store.range(this.#prefix);
    const problems: Problem[] = [];
    const locks = new Map<string, LockEntry>();
    for (const { key, value, revision } of entries) {
      try {
        const name = decodeURIComponent(key.slice(this.#prefix.length));
        locks.set(name, { name, lock: readLock(value), revision });
      } catch (error) {
        problems.push({ key, message: (error as Error).message });
      }
    }
    return { locks, problems };
  }

  /**
   * Gives back what these machines hold, of every lock or of the one that is named.
   * @returns the slots that were given back, as lock and machine.
   */
  async release(
    machines: ReadonlySet<string>,
    name?: string,
  ): Promise<readonly { readonly name: string; readonly machine: string }[]> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { locks } = await this.load();
      const gone: { name: string; machine: string }[] = [];
      const edits: LockEdit[] = [];
      for (const entry of locks.values()) {
        if (name !== undefined && entry.name !== name) continue;
        const held = Object.keys(entry.lock.holders).filter((machine) => machines.has(machine));
        if (held.length === 0) continue;
        gone.push(...held.map((machine) => ({ name: entry.name, machine })));
        edits.push({ ...entry, lock: held.reduce(released, entry.lock) });
      }
      if (edits.length === 0) return [];
      if ((await this.#store.commit(transactionOf(this.#prefix, edits))) !== null) return gone;
    }
    return [];
  }
}

export const locksBelow = (prefix: string): string => below(prefix, 'locks/');

/** What changes these locks, or nothing where one of them is not what was read. */
export function transactionOf(
  prefix: string,
  edits: readonly LockEdit[],
): { readonly compare: readonly Compare[]; readonly writes: readonly Write[] } {
  const keyOf = ({ name }: LockEdit): string => prefix + encodeURIComponent(name);
  return {
    compare: edits.map((edit) => ({ key: keyOf(edit), revision: edit.revision })),
    writes: edits.map((edit) =>
      Object.keys(edit.lock.holders).length === 0
        ? { remove: keyOf(edit) }
        : { put: keyOf(edit), value: JSON.stringify(edit.lock) },
    ),
  };
}
