import { ClusterError, EXIT } from '../error.ts';
import type { Transaction } from './port.ts';

/** etcd's defaults. Both drivers enforce them, so that what works on one works on the other. */
export const MAX_WRITES = 128;
export const MAX_BYTES = 1.5 * 1024 * 1024 - 16 * 1024;
/** What one transaction takes of a long list of writes: below the limits, with room for the writes that go with it. */
export const BATCH = { writes: 100, characters: 1_000_000 } as const;
/** LMDB's bound is 1978 bytes. */
export const MAX_KEY_BYTES = 1024;

/** Throws `store-too-large` for a transaction that etcd would refuse, before anything is sent. */
export function checkTransaction({ compare, writes }: Transaction): void {
  const keys = writes.map((write) => ('put' in write ? write.put : write.remove));
  if (new Set(keys).size !== keys.length) throw new Error('a transaction writes one key twice');
  if (writes.length > MAX_WRITES || compare.length > MAX_WRITES) {
    throw tooLarge(
      `a transaction of ${Math.max(writes.length, compare.length)} keys; ${MAX_WRITES} are allowed`,
    );
  }
  let bytes = 0;
  for (const write of writes) bytes += 'put' in write ? Buffer.byteLength(write.value) : 0;
  for (const key of [...keys, ...compare.map((one) => one.key)]) {
    const size = Buffer.byteLength(key);
    if (size === 0 || size > MAX_KEY_BYTES)
      throw tooLarge(`a key of ${size} bytes; 1 to ${MAX_KEY_BYTES} are allowed`);
    bytes += size;
  }
  if (bytes > MAX_BYTES) throw tooLarge(`a write of ${bytes} bytes; ${MAX_BYTES} are allowed`);
}

function tooLarge(what: string): ClusterError {
  return new ClusterError('store-too-large', `the store cannot take ${what}`, {
    exit: EXIT.store,
    hint: 'write less at once',
  });
}

/** A long list in parts that each fit into one transaction; `characters` is what an item adds to its size. */
export function inBatches<Item>(
  items: readonly Item[],
  characters: (item: Item) => number = () => 0,
): Item[][] {
  const batches: Item[][] = [];
  let size = 0;
  for (const item of items) {
    const length = characters(item);
    const last = batches.at(-1);
    if (last === undefined || last.length >= BATCH.writes || size + length > BATCH.characters) {
      batches.push([item]);
      size = length;
    } else {
      last.push(item);
      size += length;
    }
  }
  return batches;
}

/** First key after all those that start with `prefix`; undefined when there is none (the empty prefix). */
export function prefixEnd(prefix: string): Buffer | undefined {
  // UTF-8 never holds the byte 0xff, so the last byte can always be raised.
  const end = Buffer.from(prefix);
  if (end.length === 0) return undefined;
  end[end.length - 1] = end[end.length - 1]! + 1;
  return end;
}

export function leaseExpired(id: string): ClusterError {
  return new ClusterError('lease-expired', `lease ${id} has expired`, {
    exit: EXIT.store,
    hint: 'run the command again',
  });
}
