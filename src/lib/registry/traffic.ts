import { ClusterError, EXIT } from '../error.ts';
import type { Compare, Entry, Range, Store, StoreEvent, Write } from '../store/port.ts';
import {
  applyTraffic,
  encode,
  type JsonObject,
  keepUnknown,
  readTraffic,
  type StoredEntry,
  type TrafficChange,
  type TrafficState,
} from '../traffic/index.ts';
import { below } from './keys.ts';
import type { MovedMark } from './moved.ts';
import { changesOf } from './watch.ts';

/** One write, by path below the prefix. Fields of the stored value that `value` does not have are kept. */
export type TrafficEdit =
  | {
      readonly put: string;
      readonly value: JsonObject;
      readonly lease?: string;
      /** Replaces the stored value as a whole: fields that only it has are not kept. */
      readonly whole?: true;
    }
  | { readonly remove: string };

/** What gateways should serve: vulcand's objects, in vulcand's own keys. */
export class TrafficRegistry {
  readonly #store: Store;
  readonly prefix: string;

  readonly #moved: MovedMark | undefined;

  /** @param moved with it, nothing is changed in a registry that was copied to another place. */
  constructor(store: Store, prefix: string, moved?: MovedMark) {
    this.#store = store;
    this.#moved = moved;
    this.prefix = below(prefix);
  }

  /** Everything, in one consistent read. Values that cannot be read are in `problems`, never an error. */
  async load(): Promise<TrafficState> {
    return this.#read(await this.#store.range(this.prefix));
  }

  /**
   * The state after each change that follows `from`, until the signal aborts; changes of one moment come as one state,
   * and a transaction is never seen in part.
   */
  async *watch(from: TrafficState, signal: AbortSignal): AsyncIterable<TrafficState> {
    let state = from;
    for await (const { all, events, revision } of changesOf(
      this.#store,
      this.prefix,
      from.revision,
      signal,
    )) {
      state =
        all === null
          ? applyTraffic(
              state,
              this.prefix,
              events.map((event) => this.#change(event)),
              revision,
            )
          : this.#read(all);
      yield state;
    }
  }

  /** Paths below a folder (`backends/`) and their values as text, also of objects that cannot be read. */
  async list(folder: string): Promise<{ readonly path: string; readonly value: string }[]> {
    const { entries } = await this.#store.range(this.prefix + folder);
    return entries.map(({ key, value }) => ({ path: key.slice(this.prefix.length), value }));
  }

  /** Id of a new lease, for objects that go by themselves when nobody writes them again in time. */
  async lease(ttlSeconds: number): Promise<string> {
    return (await this.#store.lease(ttlSeconds)).id;
  }

  /**
   * Writes all of it or nothing, if every path it touches and every one of `guards` is still as `state` has it. `also`
   * are writes to other keys of the store, by their full names, that go with it.
   * @returns the revision of the write; `state.revision` where there is nothing to write.
   * @throws `changed-meanwhile` (exit 6) naming the key, `registry-moved`.
   */
  async change(
    state: TrafficState,
    edits: readonly TrafficEdit[],
    guards: readonly string[] = [],
    also: readonly Write[] = [],
  ): Promise<number> {
    if (edits.length === 0 && also.length === 0) return state.revision;
    const paths = new Set([...edits.map((edit) => ('put' in edit ? edit.put : edit.remove)), ...guards]);
    const compare: Compare[] = [...paths].map((path) => ({
      key: this.prefix + path,
      revision: state.stored.get(path)?.revision ?? 0,
    }));
    if (this.#moved !== undefined) compare.push(this.#moved.isHere);
    const revision = await this.#store.commit({
      compare,
      writes: [...edits.map((edit) => this.#write(state, edit)), ...also],
    });
    if (revision !== null) return revision;
    await this.#moved?.check();
    throw await this.#lost(state, [...paths]);
  }

  #read({ entries, revision }: Range): TrafficState {
    return readTraffic(
      this.prefix,
      entries.map((entry) => this.#entry(entry)),
      revision,
    );
  }

  #write(state: TrafficState, edit: TrafficEdit): Write {
    if ('remove' in edit) return { remove: this.prefix + edit.remove };
    const previous = edit.whole === true ? null : (state.stored.get(edit.put)?.value ?? null);
    return {
      put: this.prefix + edit.put,
      value: encode(keepUnknown(previous, edit.value)),
      ...(edit.lease !== undefined && { lease: edit.lease }),
    };
  }

  async #lost(state: TrafficState, paths: readonly string[]): Promise<ClusterError> {
    let changed = paths[0] ?? '';
    for (const path of paths) {
      const now = await this.#store.get(this.prefix + path);
      if ((now?.revision ?? 0) === (state.stored.get(path)?.revision ?? 0)) continue;
      changed = path;
      break;
    }
    return new ClusterError('changed-meanwhile', `somebody else changed ${changed} at the same moment`, {
      hint: 'nothing was written; look again and repeat the command',
      key: this.prefix + changed,
      exit: EXIT.conflict,
    });
  }

  #entry({ key, ...rest }: Entry): StoredEntry {
    return { path: key.slice(this.prefix.length), ...rest };
  }

  #change(event: StoreEvent): TrafficChange {
    return event.type === 'put'
      ? { kind: 'put', entry: this.#entry(event.entry) }
      : { kind: 'remove', path: event.key.slice(this.prefix.length) };
  }
}
