/** A store revision: grows with every write. etcd's int64 fits a JS number for any real cluster. */
export type Revision = number;

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Revision of the last write to this key. */
  readonly revision: Revision;
  /** Lease id that the key hangs on, or null. */
  readonly lease: string | null;
}

/** `revision: 0` = the key must not exist. */
export interface Compare {
  readonly key: string;
  readonly revision: Revision;
}

export type Write =
  | { readonly put: string; readonly value: string; readonly lease?: string }
  | { readonly remove: string };

export interface Transaction {
  /** All must hold, else nothing is written. */
  readonly compare: readonly Compare[];
  readonly writes: readonly Write[];
}

export interface Range {
  /** Sorted by key, bytewise. */
  readonly entries: readonly Entry[];
  /** Store revision at which this was read. */
  readonly revision: Revision;
}

export type StoreEvent =
  | { readonly type: 'put'; readonly entry: Entry }
  | { readonly type: 'remove'; readonly key: string; readonly revision: Revision };

export interface Lease {
  readonly id: string;
  readonly ttl: number;
  /** Throws `lease-expired` when it is gone. */
  keepAlive(): Promise<void>;
  revoke(): Promise<void>;
}

/**
 * A small ordered key-value store. Two drivers (etcd, embedded) pass one contract suite. Failures are ClusterErrors:
 * `store-unreachable`, `store-auth`, `store-timeout`, `lease-expired` (all exit 5).
 */
export interface Store {
  get(key: string): Promise<Entry | null>;
  /** Keys k with prefix <= k, all at one revision. */
  range(prefix: string): Promise<Range>;
  /** null = a compare failed and nothing was written; else the revision of the write. */
  commit(transaction: Transaction): Promise<Revision | null>;
  /** Keys put with it go when it is not kept alive for ttl seconds. */
  lease(ttlSeconds: number): Promise<Lease>;
  /**
   * Every change under prefix after `revision`, in order, each exactly once, across reconnects. Yields
   * `{type: 'resync', ...}` with the full state when the history needed is compacted, or is no longer the store's (its
   * data was wiped or restored). Ends when signal aborts.
   */
  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent | Resync>;
  /** The servers that make up the store, as their own list has them; absent where there is none. */
  members?(): Promise<readonly StoreMember[]>;
  close(): Promise<void>;
}

/** A server of a replicated store. */
export interface StoreMember {
  readonly id: string;
  readonly name: string;
  /** Where it answers clients: `http://10.0.0.5:2379`. */
  readonly urls: readonly string[];
}

export interface Resync {
  readonly type: 'resync';
  readonly range: Range;
}
