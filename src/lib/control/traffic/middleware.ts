import { ClusterError } from '../../error.ts';
import { quoteWord } from '../../shell-words.ts';
import {
  editMiddleware,
  keepUnknown,
  type MiddlewareEdit,
  type MiddlewareType,
  pathOf,
  readMiddleware,
  storedMiddleware,
  withoutReplaced,
} from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { warnAboutGateways } from './gateway-warnings.ts';
import {
  type Change,
  checked,
  givenId,
  loadTraffic,
  notFound,
  put,
  removeAll,
  removed,
  type Traffic,
  upserted,
  warnAbsent,
} from './write.ts';

export interface MiddlewareName {
  readonly type: MiddlewareType;
  readonly frontend: string | undefined;
  readonly id: string | undefined;
}

/** Makes or changes a middleware of a frontend. */
export async function upsertMiddleware(
  session: Session,
  name: MiddlewareName,
  said: MiddlewareEdit,
  ttl: string | undefined,
): Promise<Change> {
  const { type, frontend, id } = named(name, 'upsert');
  const traffic = await loadTraffic(session);
  const parent = pathOf({ kind: 'frontend', id: frontend });
  if (!traffic.state.stored.has(parent)) throw notFound('frontend', frontend, traffic.state.frontends.keys());
  const path = pathOf({ kind: 'middleware', parent: frontend, id });
  refuseOther(traffic, type, frontend, id, 'upsert');
  const current = traffic.state.middlewares.get(frontend)?.get(id) ?? null;
  const value = editMiddleware(type, id, current, said);
  const middleware = checked(type, () => readMiddleware(id, value));
  const previous = withoutReplaced(traffic.state.stored.get(path)?.value ?? null, said);
  const stored = keepUnknown(previous, { ...storedMiddleware(middleware), Middleware: value.Middleware });
  const owner = traffic.state.frontends.get(frontend);
  if (owner !== undefined) await warnAboutGateways(session, traffic.state, { frontend: owner, middleware });
  const written = await put(session, traffic, path, stored, { ttl, guards: [parent], whole: true });
  return upserted(type, id, middleware, written);
}

/** Removes this middleware and no other. */
export async function removeMiddleware(session: Session, name: MiddlewareName): Promise<Change> {
  const { type, frontend, id } = named(name, 'rm');
  const traffic = await loadTraffic(session);
  refuseOther(traffic, type, frontend, id, 'rm');
  const path = pathOf({ kind: 'middleware', parent: frontend, id });
  if (!traffic.state.stored.has(path))
    warnAbsent(session, `${type} of frontend ${frontend} with the id`, id, []);
  return removed(type, id, await removeAll(traffic, path, []));
}

/** One id of a frontend is one middleware: another type would be lost without a word. */
function refuseOther(
  { state }: Traffic,
  type: MiddlewareType,
  frontend: string,
  id: string,
  verb: 'upsert' | 'rm',
): void {
  const found = state.middlewares.get(frontend)?.get(id)?.Type;
  if (found === undefined || found === type) return;
  const hint =
    verb === 'rm'
      ? `cluster ${found} rm -f ${quoteWord(frontend)} --id ${quoteWord(id)}`
      : `another --id, or cluster ${found} rm`;
  throw new ClusterError('other-middleware', `${id} of frontend ${frontend} is a ${found}, not a ${type}`, {
    hint,
  });
}

function named({ type, frontend, id }: MiddlewareName, verb: string) {
  const empty = 'frontend id and middleware id can not be empty';
  const hint = `cluster ${type} ${verb} -f FRONTEND --id ID`;
  return {
    type,
    frontend: givenId('frontend id', frontend, empty, hint),
    id: givenId('middleware id', id, empty, hint),
  };
}
