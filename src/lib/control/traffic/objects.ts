import { ClusterError } from '../../error.ts';
import { quoteWord } from '../../shell-words.ts';
import {
  type BackendEdit,
  checkServerUrl,
  editBackend,
  editListener,
  editServer,
  frontendsOf,
  type Listener,
  type ListenerEdit,
  newBackend,
  pathOf,
  pathsOf,
  readBackend,
  readListener,
  readServer,
  requirePossible,
  type ServerEdit,
  storedBackend,
  storedListener,
  storedServer,
} from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { authorityDoubts, readAuthorities } from './authorities.ts';
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

const BACKEND_ID = 'backend id can not be empty';
const SERVER_ID = 'backend id and server id can not be empty';
const LISTENER_ID = 'listener id can not be empty';

/** Makes or changes a backend; what is not said stays. */
export async function upsertBackend(
  session: Session,
  wanted: string | undefined,
  said: BackendEdit,
): Promise<Change> {
  const id = givenId('backend id', wanted, BACKEND_ID, 'cluster backend upsert --id ID');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'backend', id });
  const previous = traffic.state.stored.get(path)?.value ?? null;
  const backend = editBackend(traffic.state.backends.get(id) ?? newBackend(id), said);
  const value = storedBackend(backend, previous);
  checked('backend', () => readBackend(id, value));
  return upserted('backend', id, backend, await put(session, traffic, path, value));
}

/** Removes a backend and its servers; @throws `backend-in-use` while a frontend points at it. */
export async function removeBackend(session: Session, wanted: string | undefined): Promise<Change> {
  const id = givenId('backend id', wanted, BACKEND_ID, 'cluster backend rm --id ID');
  const traffic = await loadTraffic(session);
  const users = frontendsOf(traffic.state, id);
  const first = quoteWord(users[0] ?? '');
  if (users.length > 0)
    throw new ClusterError(
      'backend-in-use',
      `can not delete backend '${id}', it is in use by [${users.join(' ')}]`,
      { hint: `cluster frontend upsert --id ${first} -b OTHER, or cluster frontend rm --id ${first}` },
    );
  const { own, children } = pathsOf(traffic.state, 'backend', id);
  if (children.length === 0 && !traffic.state.stored.has(own))
    warnAbsent(session, 'backend', id, traffic.state.backends.keys());
  return removed('backend', id, await removeAll(traffic, own, children));
}

export interface ServerName {
  readonly backend: string | undefined;
  readonly id: string | undefined;
}

/** Makes or changes a server; with a ttl, saying it again renews it. */
export async function upsertServer(
  session: Session,
  name: ServerName,
  said: ServerEdit,
  ttl: string | undefined,
): Promise<Change> {
  const { backend, id } = serverName(name, 'upsert');
  const traffic = await loadTraffic(session);
  const parent = requireBackend(traffic, backend);
  const path = pathOf({ kind: 'server', parent: backend, id });
  const current = traffic.state.servers.get(backend)?.get(id) ?? { Id: id, URL: '', Weight: 1 };
  const server = editServer(current, said);
  if (said.url !== undefined || server.URL === '') checkServerUrl(server.URL);
  const value = storedServer(server, traffic.state.stored.get(path)?.value ?? null);
  checked('server', () => readServer(id, value));
  const written = await put(session, traffic, path, value, { ttl, guards: [parent] });
  return upserted('server', id, server, written);
}

/** Removes this server and no other. */
export async function removeServer(session: Session, name: ServerName): Promise<Change> {
  const { backend, id } = serverName(name, 'rm');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'server', parent: backend, id });
  if (!traffic.state.stored.has(path))
    warnAbsent(session, 'server', id, traffic.state.servers.get(backend)?.keys() ?? []);
  return removed('server', id, await removeAll(traffic, path, []));
}

/** The key of a backend that must be there. */
export function requireBackend({ state }: Traffic, id: string): string {
  const path = pathOf({ kind: 'backend', id });
  if (state.stored.has(path)) return path;
  throw notFound('backend', id, state.backends.keys());
}

function serverName({ backend, id }: ServerName, verb: string): { backend: string; id: string } {
  const hint = `cluster server ${verb} -b BACKEND --id ID${verb === 'upsert' ? ' --url URL' : ''}`;
  return {
    backend: givenId('backend id', backend, SERVER_ID, hint),
    id: givenId('server id', id, SERVER_ID, hint),
  };
}

/** Makes or changes a listener. @param said where `clientCa` is the name of a file. */
export async function upsertListener(
  session: Session,
  wanted: string | undefined,
  { clientCa: file, ...said }: ListenerEdit & { readonly clientCa?: string | undefined },
): Promise<Change> {
  const id = givenId('listener id', wanted, LISTENER_ID, 'cluster listener upsert --id ID --addr HOST:PORT');
  const clientCa = file === undefined ? undefined : await readAuthorities(file);
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'listener', id });
  const current = traffic.state.listeners.get(id) ?? null;
  const edited = editListener(id, current, { ...said, clientCa });
  if (edited.Address.Address === '')
    throw new ClusterError('missing-address', `listener ${id} has no address`, {
      hint: '--addr HOST:PORT, such as --addr 0.0.0.0:8181',
    });
  const listener = checked('listener', () => readListenerScoped(id, edited));
  if (said.scope !== undefined && said.scope !== '') requirePossible(listener.Scope);
  for (const doubt of clientCa === undefined ? [] : authorityDoubts(clientCa, new Date()))
    session.emit({ kind: 'warning', message: `listener ${id}: ${doubt}` });
  await warnAboutGateways(session, traffic.state, { listener });
  if (traffic.state.listeners.size === 0) await sayFirstListener(session);
  const previous = traffic.state.stored.get(path)?.value ?? null;
  const written = await put(session, traffic, path, storedListener(listener, previous));
  return upserted('listener', id, listener, written);
}

/** It closes what gateways listened on until now: nobody should find that out from their users. */
async function sayFirstListener(session: Session): Promise<void> {
  if ((await (await session.gateways()).load()).gateways.size === 0) return;
  const message =
    'this is the first listener: gateways listen here now, and no longer at their --listen (:80); make one for that too';
  session.emit({ kind: 'warning', message });
}

function readListenerScoped(id: string, value: ReturnType<typeof editListener>): Listener {
  try {
    return readListener(id, value);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    throw new ClusterError(
      'bad-scope',
      `Scope should be a valid route expression: ${value.Scope}: ${error.message}`,
      {
        hint: error.hint ?? `such as --scope 'Host("a.example.test")'`,
      },
    );
  }
}

export async function removeListener(session: Session, wanted: string | undefined): Promise<Change> {
  const id = givenId('listener id', wanted, LISTENER_ID, 'cluster listener rm --id ID');
  const traffic = await loadTraffic(session);
  const path = pathOf({ kind: 'listener', id });
  if (!traffic.state.stored.has(path)) warnAbsent(session, 'listener', id, traffic.state.listeners.keys());
  return removed('listener', id, await removeAll(traffic, path, []));
}
