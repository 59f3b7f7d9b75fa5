import { open as openFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RootDatabase } from 'lmdb';
import { ClusterError, EXIT } from '../error.ts';
import { makeFilePrivate, makePrivate } from '../private-directory.ts';
import { embeddedError } from './embedded-errors.ts';
import { Tables } from './embedded-tables.ts';
import { checkTransaction, leaseExpired } from './limits.ts';
import type { Entry, Lease, Range, Resync, Revision, Store, StoreEvent, Transaction } from './port.ts';

const POLL_MS = 50;
const MAGIC = Buffer.from([0xde, 0xc0, 0xef, 0xbe]);

/**
 * Opens (and makes) the embedded store in `directory`. Several processes may have it open; LMDB's write lock is given
 * back by the kernel when one is killed, and a half-done write is never seen.
 */
export async function openEmbedded(directory: string): Promise<Store> {
  try {
    // It holds where machines are and how to log in to them.
    await makePrivate(directory);
    await checkFile(join(directory, 'data.mdb'));
    const { open } = await import('lmdb');
    const root = open({ path: directory, noSubdir: false, maxDbs: 8, maxReaders: 1000, encoding: 'json' });
    for (const file of ['data.mdb', 'lock.mdb']) await makeFilePrivate(join(directory, file));
    const tables = new Tables(root, directory);
    root.readerCheck();
    return new EmbeddedStore(root, tables, directory);
  } catch (error) {
    throw embeddedError(error, directory);
  }
}

/** lmdb ends the whole process when a file is not an LMDB file. */
async function checkFile(path: string): Promise<void> {
  const file = await openFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(64), 0, 64, 0);
    if (bytesRead > 0 && buffer.indexOf(MAGIC) < 0) throw new Error('not an LMDB file');
  } finally {
    await file.close();
  }
}

class EmbeddedStore implements Store {
  readonly #root: RootDatabase;
  readonly #tables: Tables;
  readonly #directory: string;
  readonly #closing = new AbortController();

  constructor(root: RootDatabase, tables: Tables, directory: string) {
    this.#root = root;
    this.#tables = tables;
    this.#directory = directory;
  }

  async get(key: string): Promise<Entry | null> {
    return this.#read(() => this.#tables.entry(key));
  }

  async range(prefix: string): Promise<Range> {
    return this.#read(() => this.#tables.range(prefix));
  }

  async commit(transaction: Transaction): Promise<Revision | null> {
    checkTransaction(transaction);
    return this.#write(() => this.#tables.apply(transaction));
  }

  async lease(ttlSeconds: number): Promise<Lease> {
    const id = this.#write(() => this.#tables.grant(ttlSeconds, sinceBoot()));
    return {
      id,
      ttl: ttlSeconds,
      keepAlive: async () => {
        const alive = this.#write(() => this.#tables.renew(id, ttlSeconds, sinceBoot()));
        if (!alive) throw leaseExpired(id);
      },
      revoke: async () => this.#write(() => this.#tables.revoke([id])),
    };
  }

  async *watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent | Resync> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let last = after;
    while (!ended.aborted) {
      const seen = this.#read(() => this.#tables.since(last));
      if (seen === 'trimmed') {
        const range = this.#read(() => this.#tables.range(prefix));
        last = range.revision;
        yield { type: 'resync', range };
      } else {
        for (const event of seen.events) {
          const key = event.type === 'put' ? event.entry.key : event.key;
          if (key.startsWith(prefix)) yield event;
          if (ended.aborted) return;
        }
        last = Math.max(last, seen.until);
      }
      if (seen === 'trimmed' || seen.more) continue;
      await sleep(POLL_MS, undefined, { signal: ended }).catch(() => undefined);
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#root.close();
  }

  /** Reads in one snapshot, after keys whose lease ran out have been removed for everyone. */
  #read<T>(action: () => T): T {
    return this.#guard(() => {
      // Without this, lmdb may answer from a snapshot older than another process's last write.
      this.#root.resetReadTxn();
      if (this.#tables.expired(sinceBoot()).length > 0) {
        this.#root.transactionSync(() => this.#sweep());
        this.#root.resetReadTxn();
      }
      return action();
    });
  }

  #write<T>(action: () => T): T {
    return this.#guard(() =>
      this.#root.transactionSync(() => {
        this.#sweep();
        return action();
      }),
    );
  }

  #sweep(): void {
    const expired = this.#tables.expired(sinceBoot());
    if (expired.length > 0) this.#tables.revoke(expired);
  }

  #guard<T>(action: () => T): T {
    if (this.#closing.signal.aborted) {
      throw new ClusterError('store-unreachable', 'the store is closed', { exit: EXIT.store });
    }
    try {
      return action();
    } catch (error) {
      throw embeddedError(error, this.#directory);
    }
  }
}

/**
 * Milliseconds since this computer was started, by a clock that nobody sets and that all its processes share: what leases
 * are counted by.
 */
function sinceBoot(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
