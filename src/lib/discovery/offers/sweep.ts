import { needsShared, readPresence, type ServiceEdit } from '../../registry/announcements.ts';
import { type JsonObject, parsePath, readBackend, readFrontend, type Stored } from '../../traffic/index.ts';
import { includes, type View } from './edits.ts';

/** Since when (milliseconds of the caller's clock) a shared object has not been needed, by path. */
export type Idle = ReadonlyMap<string, number>;

export interface Sweep {
  readonly edits: readonly ServiceEdit[];
  readonly idle: Idle;
}

/**
 * Removes shared frontends and backends that a registrator made, once they have not been needed for `graceMs`. A
 * frontend is needed while an instance of its service exists on any machine, healthy or not; a backend also while a
 * frontend points at it or a server is in it. Objects to which an operator gave settings or middlewares stay.
 */
export function sweep(
  view: Pick<View, 'traffic' | 'presence'>,
  before: Idle,
  now: number,
  graceMs: number,
): Sweep {
  const present = services(view.presence);
  const needed = needs(view.traffic);
  const idle = new Map<string, number>();
  const edits: ServiceEdit[] = [];
  const consider = (path: string): boolean => {
    const since = before.get(path) ?? now;
    idle.set(path, since);
    if (now - since < graceMs) return false;
    edits.push({ area: 'traffic', path, value: null, lease: null });
    return true;
  };
  const marked = [...view.traffic].flatMap(([path, seen]) => {
    const object = seen.lease === null && seen.value?.Registrator === true ? parsePath(path) : null;
    if (object === null || (object.kind !== 'frontend' && object.kind !== 'backend')) return [];
    return present[object.kind].has(object.id) ? [] : [{ path, object, value: seen.value ?? {} }];
  });
  for (const { path, object, value } of marked) {
    if (object.kind !== 'frontend' || needed.withMiddlewares.has(object.id)) continue;
    if (!hasNoSettings(readFrontend, object.id, value)) continue;
    if (consider(path)) needed.pointers.get(String(value.BackendId))?.delete(object.id);
  }
  for (const { path, object, value } of marked) {
    if (object.kind !== 'backend' || needed.withServers.has(object.id)) continue;
    if ((needed.pointers.get(object.id)?.size ?? 0) > 0 || !hasNoSettings(readBackend, object.id, value))
      continue;
    consider(path);
  }
  return { edits, idle };
}

/** Names of services that have an instance somewhere which needs the frontend, or the backend, of that name. */
function services(presence: ReadonlyMap<string, Stored>): Record<'frontend' | 'backend', Set<string>> {
  const out = { frontend: new Set<string>(), backend: new Set<string>() };
  for (const [path, { value }] of presence) {
    const name = path.slice(0, path.indexOf('/'));
    for (const kind of ['frontend', 'backend'] as const)
      if (needsShared(kind, readPresence(value))) out[kind].add(name);
  }
  return out;
}

function needs(traffic: ReadonlyMap<string, Stored>) {
  const withServers = new Set<string>();
  const withMiddlewares = new Set<string>();
  const pointers = new Map<string, Set<string>>();
  for (const [path, { value }] of traffic) {
    const object = parsePath(path);
    if (object?.kind === 'server') withServers.add(object.parent);
    else if (object?.kind === 'middleware') withMiddlewares.add(object.parent);
    else if (object?.kind === 'frontend' && typeof value?.BackendId === 'string') {
      const to = pointers.get(value.BackendId) ?? new Set();
      pointers.set(value.BackendId, to.add(object.id));
    }
  }
  return { withServers, withMiddlewares, pointers };
}

/** Whether it has no settings. One that cannot be read may have some. */
function hasNoSettings(
  read: (id: string, value: JsonObject) => { readonly Settings: object },
  id: string,
  value: JsonObject,
): boolean {
  try {
    return includes(read(id, value).Settings, read(id, { ...value, Settings: {} }).Settings);
  } catch {
    return false;
  }
}
