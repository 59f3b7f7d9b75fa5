import { inBatches } from '../store/limits.ts';
import type { Compare, Lease, Range, Revision, Store, StoreEvent, Write } from '../store/port.ts';
import { encode, type JsonObject, keepUnknown, parseObject, type Stored } from '../traffic/index.ts';
import {
  type Leaving,
  needsShared,
  type Presence,
  readPresence,
  type ServiceArea,
  type ServiceEdit,
} from './announcements.ts';
import { below } from './keys.ts';
import { changesOf } from './watch.ts';

/** An edit that was carried out: `value` is what is stored now, `before` what was. */
export interface ServiceWrite extends ServiceEdit {
  readonly before: JsonObject | null;
  readonly revision: Revision;
}

/** One key that changed; `stored` null = it is gone. */
export interface ServiceChange {
  readonly path: string;
  readonly stored: Stored | null;
  readonly revision: Revision;
}

/** Everything in one area at one revision. */
export interface ServiceObjects {
  readonly objects: ReadonlyMap<string, Stored>;
  readonly revision: Revision;
}

/** The backends and servers that gateways have, and the instances that registrators know of, by path. */
export interface Announced {
  readonly traffic: ReadonlyMap<string, Stored>;
  readonly presence: ReadonlyMap<string, Stored>;
  readonly revision: Revision;
}

/** What registrators write for the services of all machines: the objects that gateways serve, and presence. */
export class ServiceRegistry {
  readonly #store: Store;
  readonly #prefixes: Readonly<Record<ServiceArea, string>>;

  constructor(store: Store, prefix: string, trafficPrefix: string) {
    this.#store = store;
    this.#prefixes = {
      traffic: below(trafficPrefix),
      presence: below(prefix, 'services/'),
      leaving: below(prefix, 'leaving-servers/'),
    };
  }

  /** Values are null where they are not JSON objects. */
  async load(area: ServiceArea): Promise<ServiceObjects> {
    return this.#read(area, await this.#store.range(this.#prefixes[area]));
  }

  /** What is announced on all machines, at one revision. */
  async announced(): Promise<Announced> {
    const { traffic, presence } = this.#prefixes;
    const servers = `${traffic}backends/`;
    const { entries, revision } = await this.#store.ranges([servers, presence]);
    const of = (prefix: string, from: string): Map<string, Stored> =>
      new Map(
        entries
          .filter(({ key }) => key.startsWith(prefix))
          .map(({ key, ...entry }) => [key.slice(from.length), stored(entry)]),
      );
    return { traffic: of(servers, traffic), presence: of(presence, presence), revision };
  }

  /** Says of instances, by path of their presence, that they are about to stop, for as long as the lease lives. */
  async setLeaving(instances: ReadonlyMap<string, Presence>, lease: string): Promise<void> {
    const writes = [...instances].map(([path, { machine, container, since }]): Write => {
      const value: Leaving = { v: 1, machine, container, since };
      return { put: this.#prefixes.leaving + path, value: JSON.stringify(value), lease };
    });
    for (const batch of inBatches(writes)) await this.#store.commit({ compare: [], writes: batch });
  }

  /** Takes back what `setLeaving` said. */
  async unsetLeaving(paths: Iterable<string>): Promise<void> {
    const writes = [...paths].map((path): Write => ({ remove: this.#prefixes.leaving + path }));
    for (const batch of inBatches(writes)) await this.#store.commit({ compare: [], writes: batch });
  }

  /** What changes after a revision, until the signal aborts: single keys, or everything where the history was gone. */
  async *watch(
    area: ServiceArea,
    after: Revision,
    signal: AbortSignal,
  ): AsyncIterable<ServiceObjects | readonly ServiceChange[]> {
    for await (const { all, events } of changesOf(this.#store, this.#prefixes[area], after, signal))
      yield all === null ? events.map((event) => this.#change(area, event)) : this.#read(area, all);
  }

  /**
   * Carries out all edits or none: none where something changed since it was `seen`. Fields of stored values that an
   * edit does not name are kept.
   * @throws `lease-expired`.
   */
  async write(
    edits: readonly ServiceEdit[],
    seen: (area: ServiceArea, path: string) => Stored | undefined,
  ): Promise<ServiceWrite[] | null> {
    const compare: Compare[] = [];
    const writes: Write[] = [];
    const done: Omit<ServiceWrite, 'revision'>[] = [];
    for (const edit of edits) {
      const { area, path, value, lease } = edit;
      const key = this.#prefixes[area] + path;
      const old = seen(area, path);
      const next = value === null ? null : keepUnknown(old?.value ?? null, value);
      compare.push({ key, revision: old?.revision ?? 0 });
      if (next === null) writes.push({ remove: key });
      else writes.push({ put: key, value: encode(next), ...(lease !== null && { lease }) });
      done.push({ ...edit, value: next, before: old?.value ?? null });
    }
    const revision = await this.#store.commit({ compare, writes });
    return revision === null ? null : done.map((edit) => ({ ...edit, revision }));
  }

  /** Whether an instance of this service that needs its shared frontend or backend exists on any machine. */
  async isNeeded(kind: 'frontend' | 'backend', service: string): Promise<boolean> {
    const { entries } = await this.#store.range(`${this.#prefixes.presence}${service}/`);
    return entries.some(({ value }) => needsShared(kind, readPresence(parseObject(value))));
  }

  lease(ttlSeconds: number): Promise<Lease> {
    return this.#store.lease(ttlSeconds);
  }

  #read(area: ServiceArea, { entries, revision }: Range): ServiceObjects {
    const { length } = this.#prefixes[area];
    const objects = new Map(entries.map(({ key, ...entry }) => [key.slice(length), stored(entry)]));
    return { objects, revision };
  }

  #change(area: ServiceArea, event: StoreEvent): ServiceChange {
    const { length } = this.#prefixes[area];
    if (event.type === 'remove')
      return { path: event.key.slice(length), stored: null, revision: event.revision };
    const { key, ...entry } = event.entry;
    return { path: key.slice(length), stored: stored(entry), revision: entry.revision };
  }
}

function stored({ value, revision, lease }: Omit<Stored, 'value'> & { readonly value: string }): Stored {
  return { value: parseObject(value), revision, lease };
}
