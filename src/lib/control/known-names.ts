import { homedir } from 'node:os';
import { loadConfig } from '../config/index.ts';
import { parsePath, type TrafficPath } from '../traffic/index.ts';
import { Session } from './session.ts';

/** What completion offers. Never fails: a completion that prints an error is worse than none. */
export async function knownNames(): Promise<{ units: string[]; machines: string[] }> {
  const none = { units: [], machines: [] };
  return await looking(none, async (session) => {
    const state = await session.state();
    return {
      units: [...state.units.keys()].sort(),
      machines: [...state.machines.keys()].map((id) => id.slice(0, 8)).sort(),
    };
  });
}

/** Ids of one kind of traffic's objects. */
export interface TrafficWanted {
  readonly kind: TrafficPath['kind'];
  /** Only those of this backend or frontend; absent: of any. */
  readonly parent?: string | undefined;
  /** Only middlewares of this type. */
  readonly type?: string | undefined;
}

/** The keys say the ids, so that objects that do not read well can be named too. Never fails. */
export async function knownIds(wanted: TrafficWanted): Promise<string[]> {
  return await looking([], async (session) => {
    const entries = await (await session.traffic()).list(folderOf(wanted));
    const ids = entries.flatMap(({ path, value }) => {
      const object = parsePath(path);
      if (object?.kind !== wanted.kind || /\p{Cc}/u.test(object.id)) return [];
      if (wanted.parent !== undefined && 'parent' in object && object.parent !== wanted.parent) return [];
      const type = object.kind === 'middleware' && wanted.type !== undefined ? typeOf(value) : wanted.type;
      return type === wanted.type ? [object.id] : [];
    });
    return [...new Set(ids)];
  });
}

function folderOf({ kind, parent }: TrafficWanted): string {
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

async function looking<Found>(none: Found, look: (session: Session) => Promise<Found>): Promise<Found> {
  try {
    const config = await loadConfig({ flags: {}, env: process.env, cwd: process.cwd(), home: homedir() });
    const session = new Session({ config, emit: () => undefined });
    try {
      return await look(session);
    } finally {
      await session.close();
    }
  } catch {
    return none;
  }
}
