import { ClusterError, EXIT } from '../error.ts';
import type { Entry, Lease, Range, Store, StoreEvent } from '../store/port.ts';
import { below } from './keys.ts';
import { MovedMark } from './moved.ts';
import { changesOf } from './watch.ts';

/** A running gateway, as it describes itself; on a lease, so that nobody waits for a dead one. */
export interface GatewayRecord {
  readonly v: 1;
  /** machine-id, or a host name where there is none. */
  readonly machine: string;
  readonly hostname: string;
  readonly address: string | null;
  /** host:port of its own HTTP interface, on the machine's loopback. */
  readonly admin: string;
  readonly version: string;
  /** Revision of the traffic registry that it serves now. */
  readonly revision: number;
}

/** The gateways that are alive, at one store revision. */
export interface GatewaysState {
  /** By the name of its key: `MACHINE@ADMIN`, or only the machine for gateways of earlier releases. */
  readonly gateways: ReadonlyMap<string, GatewayRecord>;
  readonly revision: number;
}

/** The records of running gateways. */
export class GatewayRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = below(prefix, 'gateways/');
  }

  /** All gateways that are alive; values that cannot be read are left out. */
  async load(): Promise<GatewaysState> {
    return this.#read(await this.#store.range(this.#prefix));
  }

  /** The state after each change that follows `from`, until the signal aborts. */
  async *watch(from: GatewaysState, signal: AbortSignal): AsyncIterable<GatewaysState> {
    let state = from;
    for await (const { all, events, revision } of changesOf(
      this.#store,
      this.#prefix,
      from.revision,
      signal,
    )) {
      state = all === null ? { gateways: this.#applied(state, events), revision } : this.#read(all);
      yield state;
    }
  }

  /** Writes a gateway's record, on its lease; several of one machine have different addresses. @throws `lease-expired`. */
  async put(record: GatewayRecord, lease: string): Promise<void> {
    const key = `${this.#prefix}${record.machine}@${record.admin}`;
    const write = { put: key, value: JSON.stringify(record), lease };
    await this.#store.commit({ compare: [], writes: [write] });
  }

  /** Removes the record that an earlier release left for this very gateway, which nobody would write any more. */
  async removeEarlier({ machine, admin }: GatewayRecord): Promise<void> {
    const key = this.#prefix + machine;
    const entry = await this.#store.get(key);
    if (entry === null || readGateway(entry)?.admin !== admin) return;
    await this.#store.commit({ compare: [{ key, revision: entry.revision }], writes: [{ remove: key }] });
  }

  /** A new lease for a record. */
  lease(ttlSeconds: number): Promise<Lease> {
    return this.#store.lease(ttlSeconds);
  }

  #read({ entries, revision }: Range): GatewaysState {
    const gateways = new Map<string, GatewayRecord>();
    for (const entry of entries) {
      const { key } = entry;
      const record = readGateway(entry);
      if (record !== null) gateways.set(key.slice(this.#prefix.length), record);
    }
    return { gateways, revision };
  }

  #applied({ gateways }: GatewaysState, events: readonly StoreEvent[]): Map<string, GatewayRecord> {
    const next = new Map(gateways);
    for (const event of events) {
      const name = keyOf(event).slice(this.#prefix.length);
      const record = event.type === 'put' ? readGateway(event.entry) : null;
      if (record === null) next.delete(name);
      else next.set(name, record);
    }
    return next;
  }
}

/**
 * null for what is not a gateway's record. A gateway writes its record after it has seen the revision: one that claims
 * a later revision than that of its own key has it from a history that is gone (the store was wiped, or restored from a
 * backup), and serves nothing of this one.
 */
function readGateway({ value, revision }: Entry): GatewayRecord | null {
  try {
    const record = JSON.parse(value) as GatewayRecord;
    const valid =
      record.v === 1 && typeof record.machine === 'string' && Number.isSafeInteger(record.revision);
    if (!valid) return null;
    return record.revision > revision ? { ...record, revision: 0 } : record;
  } catch {
    return null;
  }
}

const SEVERITIES = ['debug', 'info', 'warning', 'error'] as const;

/** What operators set for all gateways. */
export interface GatewaySettings {
  readonly v: 1;
  readonly severity: (typeof SEVERITIES)[number];
}

export interface GatewaySettingsState {
  /** null where nothing was set, or nothing that can be read. */
  readonly settings: GatewaySettings | null;
  /** Revision of the last write; 0 = there was none. */
  readonly written: number;
  readonly revision: number;
}

/** The settings that all gateways follow. */
export class GatewaySettingsRegistry {
  readonly #store: Store;
  readonly #key: string;
  readonly #moved: MovedMark;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#moved = new MovedMark(store, prefix);
    this.#key = below(prefix, 'gateway-settings');
  }

  async load(): Promise<GatewaySettingsState> {
    return this.#read(await this.#store.range(this.#key));
  }

  /** The state after each change that follows `from`, until the signal aborts. */
  async *watch(from: GatewaySettingsState, signal: AbortSignal): AsyncIterable<GatewaySettingsState> {
    for await (const { all, events, revision } of changesOf(this.#store, this.#key, from.revision, signal)) {
      if (all !== null) yield this.#read(all);
      // The key is a prefix of others that are not ours.
      const last = events.findLast((event) => keyOf(event) === this.#key);
      if (last?.type === 'put') yield this.#read({ entries: [last.entry], revision });
      else if (last !== undefined) yield this.#read({ entries: [], revision });
    }
  }

  /** Replaces the settings, if they are still as `state` has them. @throws `changed-meanwhile` (exit 6), `registry-moved`. */
  async set({ written }: GatewaySettingsState, settings: GatewaySettings): Promise<void> {
    const done = await this.#store.commit({
      compare: [{ key: this.#key, revision: written }, this.#moved.isHere],
      writes: [{ put: this.#key, value: JSON.stringify(settings) }],
    });
    if (done !== null) return;
    await this.#moved.check();
    throw new ClusterError(
      'changed-meanwhile',
      "somebody else changed the gateways' settings at the same moment",
      { key: this.#key, hint: 'nothing was written; look again and repeat the command', exit: EXIT.conflict },
    );
  }

  #read({ entries, revision }: Range): GatewaySettingsState {
    const entry = entries.find(({ key }) => key === this.#key);
    return { settings: readSettings(entry?.value ?? ''), written: entry?.revision ?? 0, revision };
  }
}

const keyOf = (event: StoreEvent): string => (event.type === 'put' ? event.entry.key : event.key);

function readSettings(value: string): GatewaySettings | null {
  try {
    const { severity } = JSON.parse(value) as Partial<GatewaySettings>;
    const known = SEVERITIES.find((one) => one === severity);
    return known === undefined ? null : { v: 1, severity: known };
  } catch {
    return null;
  }
}
