import { type EtcdClient, RANGE } from './etcd-client.ts';
import { type KeyValue, type RangeResponse, rangeRequest } from './etcd-messages.ts';
import { prefixEnd } from './limits.ts';
import type { Revision } from './port.ts';

/** How a key, or a whole prefix, has to look at a revision. */
interface Check {
  readonly key: Buffer;
  readonly end?: Buffer;
  readonly revision: Revision;
  /** `some`: it is there; `none`: it is not; else exactly this one. */
  readonly expect: KeyValue | 'some' | 'none';
}

/**
 * A point of etcd's history that can be recognised later. An etcd whose data was wiped, or restored from a snapshot,
 * counts revisions again that meant something else before; its cluster id may be the same as before.
 */
export class EtcdAnchor {
  readonly #checks: readonly Check[];
  readonly #clusterId: string | null;

  private constructor(checks: readonly Check[], clusterId: string | null) {
    this.#checks = checks;
    this.#clusterId = clusterId;
  }

  /** The newest key below a prefix at a revision; null where etcd does not have that revision (any more). */
  static async at(client: EtcdClient, prefix: string, revision: Revision): Promise<EtcdAnchor | null> {
    const key = prefix === '' ? Buffer.from([0]) : Buffer.from(prefix);
    const end = prefixEnd(prefix) ?? Buffer.from([0]);
    const read = await readAt(client, { key, end, revision }, true);
    if (read === null) return null;
    const [newest] = read.kvs;
    const check: Check =
      newest === undefined
        ? { key, end, revision, expect: 'none' }
        : { key: newest.key, revision, expect: newest };
    return new EtcdAnchor([check], read.clusterId);
  }

  /** The last event that a watch delivered. */
  after({ kv, removed }: { readonly kv: KeyValue; readonly removed: boolean }): EtcdAnchor {
    const revision = kv.modRevision;
    const checks: Check[] = removed
      ? [
          { key: kv.key, revision: revision - 1, expect: 'some' },
          { key: kv.key, revision, expect: 'none' },
        ]
      : [{ key: kv.key, revision, expect: kv }];
    return new EtcdAnchor(checks, this.#clusterId);
  }

  /** Whether etcd's history still goes through this point; false also where that cannot be told. */
  async holds(client: EtcdClient): Promise<boolean> {
    for (const check of this.#checks) {
      const read = await readAt(client, check, false);
      if (read === null || read.clusterId !== this.#clusterId) return false;
      if (!isAsExpected(read.kvs[0], check.expect)) return false;
    }
    return true;
  }
}

function isAsExpected(found: KeyValue | undefined, expect: Check['expect']): boolean {
  if (expect === 'none') return found === undefined;
  if (expect === 'some' || found === undefined) return found !== undefined;
  return (
    found.modRevision === expect.modRevision &&
    found.createRevision === expect.createRevision &&
    found.version === expect.version &&
    found.value.equals(expect.value)
  );
}

/** null where the revision is compacted, or is not reached yet. */
async function readAt(
  client: EtcdClient,
  { key, end, revision }: Pick<Check, 'key' | 'end' | 'revision'>,
  newest: boolean,
): Promise<RangeResponse | null> {
  const request = { key, ...(end && { rangeEnd: end }), limit: 1, revision, newestFirst: newest };
  try {
    return await client.call(RANGE, rangeRequest(request));
  } catch (error) {
    const text = String((error as Error).cause ?? error);
    if (/compacted|future revision/.test(text)) return null;
    throw error;
  }
}
