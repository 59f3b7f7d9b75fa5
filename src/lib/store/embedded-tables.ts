import type { Database, RootDatabase } from 'lmdb';
import { ClusterError, EXIT } from '../error.ts';
import { leaseExpired, prefixEnd } from './limits.ts';
import type { Entry, Range, Revision, StoreEvent, Transaction } from './port.ts';

const FORMAT = 1;
const LOG_REVISIONS = 10_000;
const LOG_BYTES = 64 * 1024 * 1024;
/** How much of the log one read of a watch takes, so that it never holds much in memory. */
const READ_REVISIONS = 256;

interface StoredEntry {
  readonly value: string;
  readonly revision: Revision;
  readonly lease: string | null;
}

interface StoredLease {
  /** In milliseconds since the computer was started. */
  readonly expires: number;
  /** What it was granted for; absent in a lease of an earlier release, which counts as over. */
  readonly ttlMs?: number;
  readonly keys: readonly string[];
}

/** `value` absent: the key was removed. */
interface Change {
  readonly key: string;
  readonly value?: string;
  readonly lease?: string | null;
}

interface Meta {
  readonly format: number;
  readonly revision: Revision;
  /** Oldest revision in the log. */
  readonly logStart: Revision;
  readonly logBytes: number;
  readonly leases: number;
}

const EMPTY: Meta = { format: FORMAT, revision: 1, logStart: 2, logBytes: 0, leases: 0 };

/** The tables of the embedded store. The caller opens the transactions: write methods must run inside one. */
export class Tables {
  readonly #entries: Database<StoredEntry, Buffer>;
  readonly #log: Database<readonly Change[], Buffer>;
  readonly #leases: Database<StoredLease, string>;
  readonly #meta: Database<Meta, string>;

  constructor(root: RootDatabase, directory: string) {
    this.#entries = root.openDB({ name: 'entries', keyEncoding: 'binary', encoding: 'json' });
    this.#log = root.openDB({ name: 'log', keyEncoding: 'binary', encoding: 'json' });
    this.#leases = root.openDB({ name: 'leases', encoding: 'json' });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
    const { format } = this.#state();
    if (format === FORMAT) return;
    throw new ClusterError('store-broken', `the store has format ${format}, this program knows ${FORMAT}`, {
      exit: EXIT.store,
      file: directory,
      hint: 'use the newer program that wrote it',
    });
  }

  entry(key: string): Entry | null {
    const stored = this.#entries.get(Buffer.from(key));
    return stored === undefined ? null : { key, ...stored };
  }

  range(prefix: string): Range {
    const end = prefixEnd(prefix);
    const entries: Entry[] = [];
    const found = this.#entries.getRange(end === undefined ? {} : { start: Buffer.from(prefix), end });
    for (const { key, value } of found) entries.push({ key: Buffer.from(key).toString(), ...value });
    return { entries, revision: this.#state().revision };
  }

  apply({ compare, writes }: Transaction): Revision | null {
    for (const { key, revision } of compare) {
      if ((this.entry(key)?.revision ?? 0) !== revision) return null;
    }
    const changes = writes.flatMap((write): Change[] => {
      if ('remove' in write) return this.entry(write.remove) === null ? [] : [{ key: write.remove }];
      const lease = write.lease ?? null;
      if (lease !== null && this.#leases.get(lease) === undefined) throw leaseExpired(lease);
      return [{ key: write.put, value: write.value, lease }];
    });
    return this.#change(changes);
  }

  /** Every change after `last`, or as many as fit one read; `trimmed` when the log no longer reaches back, or not so far yet. */
  since(last: Revision): { events: StoreEvent[]; until: Revision; more: boolean } | 'trimmed' {
    const { revision, logStart } = this.#state();
    // An older copy of the files was put in our place.
    if (last > revision) return 'trimmed';
    if (last === revision) return { events: [], until: last, more: false };
    if (last + 1 < logStart) return 'trimmed';
    const until = Math.min(revision, last + READ_REVISIONS);
    const events: StoreEvent[] = [];
    for (const { key, value } of this.#log.getRange({ start: logKey(last + 1), end: logKey(until + 1) })) {
      const at = Number(Buffer.from(key).readBigUInt64BE());
      for (const change of value) events.push(eventOf(change, at));
    }
    return { events, until, more: until < revision };
  }

  /** Leases that are over. Here and below, `now` is in milliseconds since this computer was started. */
  expired(now: number): string[] {
    const ids: string[] = [];
    for (const { key, value } of this.#leases.getRange()) {
      // One that would last for longer than it was granted for was granted before this computer was started.
      const left = value.expires - now;
      if (left <= 0 || left > (value.ttlMs ?? 0)) ids.push(key);
    }
    return ids;
  }

  grant(ttlSeconds: number, now: number): string {
    const state = this.#state();
    const id = String(state.leases + 1);
    this.#meta.putSync('state', { ...state, leases: state.leases + 1 });
    this.#leases.putSync(id, { expires: now + ttlSeconds * 1000, ttlMs: ttlSeconds * 1000, keys: [] });
    return id;
  }

  /** False when the lease is gone. */
  renew(id: string, ttlSeconds: number, now: number): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    this.#leases.putSync(id, { ...lease, expires: now + ttlSeconds * 1000, ttlMs: ttlSeconds * 1000 });
    return true;
  }

  /** Ends the leases and removes their keys, all at one revision. */
  revoke(ids: readonly string[]): void {
    const keys = ids.flatMap((id) => this.#leases.get(id)?.keys ?? []);
    this.#change(keys.map((key) => ({ key })));
    for (const id of ids) this.#leases.removeSync(id);
  }

  #change(changes: readonly Change[]): Revision {
    const state = this.#state();
    if (changes.length === 0) return state.revision;
    const revision = state.revision + 1;
    for (const change of changes) this.#store(change, revision);
    this.#log.putSync(logKey(revision), changes);
    this.#meta.putSync(
      'state',
      this.#trimmed({ ...state, revision, logBytes: state.logBytes + bytesOf(changes) }),
    );
    return revision;
  }

  #store({ key, value, lease = null }: Change, revision: Revision): void {
    const name = Buffer.from(key);
    const before = this.#entries.get(name)?.lease ?? null;
    if (before !== lease) {
      if (before !== null) this.#onLease(before, (keys) => keys.filter((one) => one !== key));
      if (lease !== null) this.#onLease(lease, (keys) => [...keys, key]);
    }
    if (value === undefined) this.#entries.removeSync(name);
    else this.#entries.putSync(name, { value, revision, lease });
  }

  #onLease(id: string, change: (keys: readonly string[]) => readonly string[]): void {
    const lease = this.#leases.get(id);
    if (lease !== undefined) this.#leases.putSync(id, { ...lease, keys: change(lease.keys) });
  }

  #trimmed(state: Meta): Meta {
    let { logStart, logBytes } = state;
    while (
      logStart < state.revision &&
      (state.revision - logStart >= LOG_REVISIONS || logBytes > LOG_BYTES)
    ) {
      logBytes -= bytesOf(this.#log.get(logKey(logStart)) ?? []);
      this.#log.removeSync(logKey(logStart));
      logStart++;
    }
    return { ...state, logStart, logBytes };
  }

  #state(): Meta {
    return this.#meta.get('state') ?? EMPTY;
  }
}

function logKey(revision: Revision): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(revision));
  return key;
}

function bytesOf(changes: readonly Change[]): number {
  return changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0) + 32, 0);
}

function eventOf({ key, value, lease = null }: Change, revision: Revision): StoreEvent {
  if (value === undefined) return { type: 'remove', key, revision };
  return { type: 'put', entry: { key, value, revision, lease } };
}
