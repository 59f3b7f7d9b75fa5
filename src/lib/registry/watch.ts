import { setImmediate as eventsDelivered } from 'node:timers/promises';
import type { Range, Revision, Store, StoreEvent } from '../store/port.ts';

/** The changes of one moment. */
export interface Changes {
  /** In order; empty when `all` is given. */
  readonly events: readonly StoreEvent[];
  /** Everything, where the history was gone and it had to be read anew; else null. */
  readonly all: Range | null;
  /** The revision that the changes lead to. */
  readonly revision: Revision;
}

/**
 * The changes below a prefix after a revision, until the signal aborts: what has arrived by the time the reader asks is
 * one item, and all writes of one transaction are in the same item. Errors are those of Store.watch.
 */
export async function* changesOf(
  store: Store,
  prefix: string,
  after: Revision,
  signal: AbortSignal,
): AsyncGenerator<Changes> {
  const over = new AbortController();
  const arrived = new Arrivals();
  const reading = arrived.readFrom(store.watch(prefix, after, AbortSignal.any([signal, over.signal])));
  try {
    for (;;) {
      await arrived.some();
      // A driver hands out the writes of one transaction without a pause in which other tasks run.
      await eventsDelivered();
      if (signal.aborted) return;
      const changes = arrived.take();
      if (changes !== null) yield changes;
      else if (arrived.ended) return arrived.throwFailure();
    }
  } finally {
    over.abort();
    await reading;
  }
}

/** What a watch delivered and nobody has taken yet. */
class Arrivals {
  ended = false;
  #events: StoreEvent[] = [];
  #all: Range | null = null;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;

  async readFrom(watch: ReturnType<Store['watch']>): Promise<void> {
    try {
      for await (const event of watch) {
        if (event.type === 'resync') {
          this.#all = event.range;
          this.#events = [];
        } else this.#events.push(event);
        this.#wake();
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.ended = true;
    this.#wake();
  }

  async some(): Promise<void> {
    if (this.#events.length > 0 || this.#all !== null || this.ended) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** A resync first, then the events that followed it; null when there is nothing. */
  take(): Changes | null {
    const all = this.#all;
    if (all !== null) {
      this.#all = null;
      return { events: [], all, revision: all.revision };
    }
    const events = this.#events;
    const last = events.at(-1);
    if (last === undefined) return null;
    this.#events = [];
    return { events, all: null, revision: last.type === 'put' ? last.entry.revision : last.revision };
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
