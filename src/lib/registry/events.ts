import { inBatches } from '../store/limits.ts';
import type { Range, Store } from '../store/port.ts';
import type { Change, EventRecord } from './audit.ts';
import { below } from './keys.ts';
import { changesOf } from './watch.ts';

/** How many events are kept, and for how long. */
export const EVENTS_KEPT = { number: 5000, days: 90 } as const;

const DAY_MS = 86_400_000;

export interface EventsState {
  /** Oldest first. */
  readonly events: readonly EventRecord[];
  readonly revision: number;
}

/** What was written to the registry, by whom. */
export class EventRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = below(prefix, 'events/');
  }

  /** All that are kept; values that cannot be read are left out. */
  async load(): Promise<EventsState> {
    return read(await this.#store.range(this.#prefix));
  }

  /** Events that follow `from`, in order, until the signal aborts. */
  async *watch(from: EventsState, signal: AbortSignal): AsyncIterable<EventRecord> {
    let last = from.events.at(-1)?.at ?? '';
    for await (const { all, events } of changesOf(this.#store, this.#prefix, from.revision, signal)) {
      const news =
        all === null
          ? events.flatMap((event) => (event.type === 'put' ? (readEvent(event.entry.value) ?? []) : []))
          : read(all).events.filter(({ at }) => at > last);
      for (const event of news) {
        if (event.at > last) last = event.at;
        yield event;
      }
    }
  }

  /** Removes what is too old or too much. @returns how many were removed. */
  async prune(
    now: Date,
    kept: { readonly number: number; readonly days: number } = EVENTS_KEPT,
  ): Promise<number> {
    const { entries } = await this.#store.range(this.#prefix);
    const oldest = `${this.#prefix}${String(now.getTime() - kept.days * DAY_MS).padStart(13, '0')}`;
    const surplus = entries.length - kept.number;
    const gone = entries.filter(({ key }, index) => index < surplus || key < oldest);
    for (const batch of inBatches(gone))
      await this.#store.commit({ compare: [], writes: batch.map(({ key }) => ({ remove: key })) });
    return gone.length;
  }
}

function read({ entries, revision }: Range): EventsState {
  return { events: entries.flatMap(({ value }) => readEvent(value) ?? []), revision };
}

function readEvent(value: string): EventRecord | null {
  try {
    const record = JSON.parse(value) as EventRecord;
    const texts = [record.at, record.who, record.command];
    const valid =
      record.v === 1 &&
      texts.every((text) => typeof text === 'string') &&
      Array.isArray(record.changes) &&
      record.changes.every(isChange);
    return valid ? record : null;
  } catch {
    return null;
  }
}

function isChange(change: Change | null): boolean {
  return typeof change?.kind === 'string' && typeof change.name === 'string';
}
