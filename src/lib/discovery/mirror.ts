import type { Entry, Revision, Store } from '../store/port.ts';
import { type JsonObject, parseObject } from '../traffic/index.ts';

/** One key below the mirror's prefix. */
export interface Seen {
  /** null where it is no JSON object. */
  readonly value: JsonObject | null;
  readonly revision: Revision;
  readonly lease: string | null;
}

/**
 * What stands below a prefix, kept up to date by a watch; what we wrote ourselves is put in at once, so that a decision
 * made before the watch tells of it does not write it again.
 */
export class Mirror {
  readonly prefix: string;
  readonly entries = new Map<string, Seen>();
  readonly #store: Store;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.prefix = prefix;
  }

  /** Reads all of it; returns the revision from which `follow` goes on. */
  async load(): Promise<Revision> {
    const { entries, revision } = await this.#store.range(this.prefix);
    this.#replace(entries);
    return revision;
  }

  /** Calls `changed` after each change until the signal aborts. */
  async follow(after: Revision, signal: AbortSignal, changed: () => void): Promise<void> {
    for await (const event of this.#store.watch(this.prefix, after, signal)) {
      if (event.type === 'resync') this.#replace(event.range.entries);
      else if (event.type === 'put') this.#put(event.entry);
      else this.#remove(event.key.slice(this.prefix.length), event.revision);
      changed();
    }
  }

  /** Our own write, which is known to have been done at this revision. */
  wrote(path: string, value: JsonObject | null, lease: string | null, revision: Revision): void {
    if (value === null) this.entries.delete(path);
    else this.entries.set(path, { value, revision, lease });
  }

  #put({ key, value, revision, lease }: Entry): void {
    const path = key.slice(this.prefix.length);
    if ((this.entries.get(path)?.revision ?? 0) > revision) return;
    this.entries.set(path, { value: parseObject(value), revision, lease });
  }

  #remove(path: string, revision: Revision): void {
    if ((this.entries.get(path)?.revision ?? 0) <= revision) this.entries.delete(path);
  }

  #replace(entries: readonly Entry[]): void {
    this.entries.clear();
    for (const entry of entries) this.#put(entry);
  }
}
