import type { Config } from '../config/index.ts';
import { ClusterError, EXIT } from '../error.ts';
import type { Entry, Store } from '../store/port.ts';
import type { Session } from './session.ts';

/** etcd refuses transactions of more than 128 operations and requests of more than 1.5 MiB. */
const CHUNK = { entries: 100, characters: 1_000_000 };

export interface Copied {
  readonly copied: number;
  /** Keys on a lease: whoever announced them announces them again there. */
  readonly leased: number;
}

/**
 * Copies the registry, units and traffic, to the etcd behind `endpoints`, which must not have one yet.
 * @throws `registry-not-empty` (exit 6) when there are keys below our prefixes; nothing is written then.
 */
export async function copyRegistry(session: Session, endpoints: readonly string[]): Promise<Copied> {
  const from = await session.store();
  const { openStore } = await import('../store/open.ts');
  const to = await openStore(towards(session.config, endpoints));
  try {
    const prefixes = [`${session.config.prefix}/`, `${session.config.trafficPrefix}/`];
    for (const prefix of prefixes) await requireEmpty(to, prefix, endpoints);
    const all = (await Promise.all(prefixes.map((prefix) => from.range(prefix)))).flatMap(
      ({ entries }) => entries,
    );
    const kept = all.filter(({ lease }) => lease === null);
    for (const chunk of chunks(kept)) {
      const done = await to.commit({
        compare: chunk.map(({ key }) => ({ key, revision: 0 })),
        writes: chunk.map(({ key, value }) => ({ put: key, value })),
      });
      if (done === null) throw notEmpty(chunk[0]?.key ?? '', endpoints);
    }
    return { copied: kept.length, leased: all.length - kept.length };
  } finally {
    await to.close();
  }
}

function towards(config: Config, endpoints: readonly string[]): Config {
  const { etcd, prefix } = config;
  const { tunnel: _, ...same } = etcd ?? { timeoutMs: 3000, prefix };
  return { ...config, etcd: { ...same, endpoints } };
}

async function requireEmpty(store: Store, prefix: string, endpoints: readonly string[]): Promise<void> {
  const [first] = (await store.range(prefix)).entries;
  if (first !== undefined) throw notEmpty(first.key, endpoints);
}

function notEmpty(key: string, endpoints: readonly string[]): ClusterError {
  return new ClusterError('registry-not-empty', `${endpoints.join(', ')} has a registry already: ${key}`, {
    hint: 'copy to an etcd without one, or use another --etcd-key-prefix',
    key,
    exit: EXIT.conflict,
  });
}

function chunks(entries: readonly Entry[]): Entry[][] {
  const out: Entry[][] = [];
  let size = 0;
  for (const entry of entries) {
    const last = out.at(-1);
    size += entry.value.length;
    if (last === undefined || last.length >= CHUNK.entries || size > CHUNK.characters) {
      out.push([entry]);
      size = entry.value.length;
    } else last.push(entry);
  }
  return out;
}
