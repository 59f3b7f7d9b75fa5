import type { Config } from '../config/index.ts';
import { ClusterError, EXIT } from '../error.ts';
import { copyKeys, MovedMark, type MovedTo } from '../registry/index.ts';
import type { Session } from './session.ts';

export interface Copied {
  readonly copied: number;
  /** Keys on a lease, which are not copied: whoever wrote them writes them again to the new store. */
  readonly leased: number;
}

/**
 * Copies the registry, units and traffic, to the etcd behind `endpoints`, which must not have one yet.
 * From then on nothing is changed in the old one, which says where it went.
 * @throws `registry-moved` (exit 6) when the registry is at another place itself; `registry-not-empty` (exit 6) when there are keys below our prefixes; nothing is written then.
 */
export async function copyRegistry(session: Session, endpoints: readonly string[]): Promise<Copied> {
  const from = await session.store();
  const { openStore } = await import('../store/open.ts');
  const to = await openStore(towards(session.config, endpoints));
  try {
    const { prefix, trafficPrefix } = session.config;
    const moved = { v: 1, endpoints, prefix, trafficPrefix } as const;
    const result = await copyKeys(from, to, { prefix, trafficPrefix, moved });
    if ('occupied' in result) throw notEmpty(result.occupied, endpoints);
    return result;
  } finally {
    await to.close();
  }
}

/** Makes a registry that was copied to another place count again. @returns where it had gone, or null. */
export async function reopenRegistry(session: Session): Promise<MovedTo | null> {
  const mark = new MovedMark(await session.store(), session.config.prefix);
  const moved = await mark.read();
  if (moved !== null) await mark.lift();
  return moved;
}

function towards(config: Config, endpoints: readonly string[]): Config {
  const { etcd, prefix } = config;
  const { tunnel: _, ...same } = etcd ?? { timeoutMs: 3000, prefix };
  return { ...config, etcd: { ...same, endpoints } };
}

function notEmpty(key: string, endpoints: readonly string[]): ClusterError {
  return new ClusterError('registry-not-empty', `${endpoints.join(', ')} has a registry already: ${key}`, {
    hint: 'copy to an etcd without one, or use another --etcd-key-prefix',
    key,
    exit: EXIT.conflict,
  });
}
