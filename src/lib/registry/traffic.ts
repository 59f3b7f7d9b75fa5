import { ClusterError, EXIT } from '../error.ts';
import type { Store, StoreEvent, Write } from '../store/port.ts';
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

/** One write, by path below the prefix. Fields of the stored value that `value` does not have are kept. */
export type TrafficEdit =
  | {
      readonly put: string;
      readonly value: JsonObject;
      readonly lease?: string;
      /** `value` is all there will be: fields that only the stored value has are not kept. */
      readonly whole?: true;
    }
  | { readonly remove: string };

/** vulcand's objects, in vulcand's own keys, on any store. */
export class TrafficRegistry {
  readonly store: Store;
  readonly prefix: string;

  constructor(store: Store, prefix: string) {
    this.store = store;
    this.prefix = prefix.endsWith('/') ? prefix : `${prefix}/`;
  }

  /** Everything, in one consistent read. Values that do not read well are in `problems`, never an error. */
  async load(): Promise<TrafficState> {
    const { entries, revision } = await this.store.range(this.prefix);
    return readTraffic(
      this.prefix,
      entries.map((entry) => this.#entry(entry)),
      revision,
    );
  }

  /**
   * The state after each change that follows `state`, until `signal` aborts; changes of one moment come as one state.
   * Across reconnects and compactions, as Store.watch.
   */
  async *watch(state: TrafficState, signal: AbortSignal): AsyncIterable<TrafficState> {
    let now = state;
    for await (const event of this.store.watch(this.prefix, state.revision, signal)) {
      if (event.type === 'resync') {
        const { entries, revision } = event.range;
        now = readTraffic(
          this.prefix,
          entries.map((entry) => this.#entry(entry)),
          revision,
        );
      } else {
        const revision = event.type === 'put' ? event.entry.revision : event.revision;
        now = applyTraffic(now, this.prefix, [this.#change(event)], revision);
      }
      yield now;
    }
  }

  /**
   * Writes all of it or nothing, if every path it touches and every one of `guards` is still as `state` has it. `also`
   * are writes to other keys of the store, by their full names, that go with it.
   * @returns the revision of the write; `state.revision` where there is nothing to write.
   * @throws `changed-meanwhile` (exit 6) naming the key.
   */
  async change(
    state: TrafficState,
    edits: readonly TrafficEdit[],
    guards: readonly string[] = [],
    also: readonly Write[] = [],
  ): Promise<number> {
    if (edits.length === 0 && also.length === 0) return state.revision;
    const paths = new Set([...edits.map((edit) => ('put' in edit ? edit.put : edit.remove)), ...guards]);
    const revision = await this.store.commit({
      compare: [...paths].map((path) => ({
        key: this.prefix + path,
        revision: state.stored.get(path)?.revision ?? 0,
      })),
      writes: [...edits.map((edit) => this.#write(state, edit)), ...also],
    });
    if (revision !== null) return revision;
    throw await this.#lost(state, [...paths]);
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
      const now = await this.store.get(this.prefix + path);
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

  #entry(entry: { key: string; value: string; revision: number; lease: string | null }): StoredEntry {
    const { key, ...rest } = entry;
    return { path: key.slice(this.prefix.length), ...rest };
  }

  #change(event: StoreEvent): TrafficChange {
    return event.type === 'put'
      ? { kind: 'put', entry: this.#entry(event.entry) }
      : { kind: 'remove', path: event.key.slice(this.prefix.length) };
  }
}
