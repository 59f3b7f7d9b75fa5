import { inBatches } from '../store/limits.ts';
import type { Entry, Store } from '../store/port.ts';
import { below } from './keys.ts';

/** What a copy did, or the key that kept it from beginning or going on. */
export type CopyResult =
  | { readonly copied: number /** Keys on a lease, which are not copied. */; readonly leased: number }
  | { readonly occupied: string };

/**
 * Copies everything below these prefixes to a store that has nothing there yet. Keys on a lease are left out: whoever
 * wrote them writes them again to the new store.
 */
export async function copyKeys(from: Store, to: Store, prefixes: readonly string[]): Promise<CopyResult> {
  const all: Entry[] = [];
  for (const prefix of prefixes.map((one) => below(one))) {
    const [first] = (await to.range(prefix)).entries;
    if (first !== undefined) return { occupied: first.key };
    all.push(...(await from.range(prefix)).entries);
  }
  const kept = all.filter(({ lease }) => lease === null);
  for (const batch of inBatches(kept, ({ value }) => value.length)) {
    const done = await to.commit({
      compare: batch.map(({ key }) => ({ key, revision: 0 })),
      writes: batch.map(({ key, value }) => ({ put: key, value })),
    });
    if (done === null) return { occupied: batch[0]?.key ?? '' };
  }
  return { copied: kept.length, leased: all.length - kept.length };
}
