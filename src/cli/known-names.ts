import { loadConfig } from '../lib/config/index.ts';
import { Session } from '../lib/control/session.ts';
import { parsePath, type TrafficPath } from '../lib/traffic/index.ts';
import { surroundings } from './surroundings.ts';

/** Names that completion may offer. */
export type Wanted = { readonly kind: 'unit' | 'machine' } | WantedTraffic;

interface WantedTraffic {
  readonly kind: TrafficPath['kind'];
  /** Only those of this backend or frontend; absent: of any. */
  readonly parent?: string | undefined;
  /** Only middlewares of this type. */
  readonly type?: string | undefined;
}

/** Names in the registry, in no order. Never fails: completion that prints an error is worse than none. */
export async function knownNames(wanted: Wanted): Promise<string[]> {
  try {
    const config = await loadConfig({ ...surroundings(), flags: {} });
    const session = new Session({ config, emit: () => undefined });
    try {
      return await namesIn(session, wanted);
    } finally {
      await session.close();
    }
  } catch {
    return [];
  }
}

async function namesIn(session: Session, wanted: Wanted): Promise<string[]> {
  switch (wanted.kind) {
    case 'unit':
      return [...(await session.state()).units.keys()];
    case 'machine':
      return [...(await session.state()).machines.keys()].map((id) => id.slice(0, 8));
    default:
      return await trafficIds(session, wanted);
  }
}

/** Read from the keys, so that an object whose value is broken can be named too. */
async function trafficIds(session: Session, wanted: WantedTraffic): Promise<string[]> {
  const entries = await (await session.traffic()).list(folderOf(wanted));
  const ids = entries.flatMap(({ path, value }) => {
    const object = parsePath(path);
    if (object?.kind !== wanted.kind) return [];
    if (wanted.parent !== undefined && 'parent' in object && object.parent !== wanted.parent) return [];
    const type = object.kind === 'middleware' && wanted.type !== undefined ? typeOf(value) : wanted.type;
    return type === wanted.type ? [object.id] : [];
  });
  return [...new Set(ids)];
}

function folderOf({ kind, parent }: WantedTraffic): string {
  if (kind === 'server') return parent === undefined ? 'backends/' : `backends/${parent}/servers/`;
  if (kind === 'middleware') return parent === undefined ? 'frontends/' : `frontends/${parent}/middlewares/`;
  return `${kind}s/`;
}

function typeOf(value: string): unknown {
  try {
    return JSON.parse(value)?.Type;
  } catch {
    return undefined;
  }
}
