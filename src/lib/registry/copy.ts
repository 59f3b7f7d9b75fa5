import { inBatches } from '../store/limits.ts';
import type { Entry, Store, Write } from '../store/port.ts';
import type { MovedTo } from './identity.ts';
import { below } from './keys.ts';
import { MovedMark } from './moved.ts';

/** What a copy did, or the key that kept it from beginning or going on. */
export type CopyResult =
  | { readonly copied: number /** Keys on a lease, which are not copied. */; readonly leased: number }
  | { readonly occupied: string };

/** What is copied from and to, and which keys belong to it. */
export interface CopyOptions {
  readonly prefix: string;
  readonly trafficPrefix: string;
  readonly moved: MovedTo;
}

/**
 * Copies everything below these prefixes to a store that has nothing there yet, then marks the source as moved, and
 * copies what was changed until then. The cluster's id is copied last: without it, an unfinished copy is no registry that
 * machines accept. Keys on a lease are left out: whoever wrote them writes them again to the new store.
 */
export async function copyKeys(
  from: Store,
  to: Store,
  { prefix, trafficPrefix, moved }: CopyOptions,
): Promise<CopyResult> {
  const prefixes = [prefix, trafficPrefix].map((one) => below(one));
  for (const one of prefixes) {
    const [first] = (await to.range(one)).entries;
    if (first !== undefined) return { occupied: first.key };
  }
  const mark = new MovedMark(from, prefix);
  await mark.check();
  const idKey = below(prefix, 'id');
  const before = await readAll(from, prefixes);
  const copied = new Map<string, Entry>();
  for (const entry of before) if (entry.lease === null && entry.key !== idKey) copied.set(entry.key, entry);
  for (const batch of inBatches([...copied.values()], ({ value }) => value.length)) {
    const compare = batch.map(({ key }) => ({ key, revision: 0 }));
    if ((await to.commit({ compare, writes: batch.map(put) })) === null)
      return { occupied: batch[0]?.key ?? '' };
  }

  await mark.set(moved);
  const after = new Map(
    (await readAll(from, prefixes))
      .filter(({ key, lease }) => lease === null && key !== mark.isHere.key)
      .map((entry) => [entry.key, entry]),
  );
  const late: Write[] = [...copied.keys()].filter((key) => !after.has(key)).map((key) => ({ remove: key }));
  for (const entry of after.values())
    if (entry.key !== idKey && copied.get(entry.key)?.revision !== entry.revision) late.push(put(entry));
  const id = after.get(idKey);
  if (id !== undefined) late.push(put(id));
  for (const batch of inBatches(late, (write) => ('put' in write ? write.value.length : 0)))
    await to.commit({ compare: [], writes: batch });
  return { copied: after.size, leased: before.filter(({ lease }) => lease !== null).length };
}

async function readAll(from: Store, prefixes: readonly string[]): Promise<Entry[]> {
  const all = new Map<string, Entry>();
  for (const prefix of prefixes)
    for (const entry of (await from.range(prefix)).entries) all.set(entry.key, entry);
  return [...all.values()];
}

function put({ key, value }: Entry): Write {
  return { put: key, value };
}
