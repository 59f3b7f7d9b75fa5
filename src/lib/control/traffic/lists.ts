import { ClusterError } from '../../error.ts';
import { quoteWord } from '../../shell-words.ts';
import {
  type Backend,
  contested,
  type Frontend,
  type Host,
  type Listener,
  type Middleware,
  pathOf,
  type Server,
  type TrafficState,
} from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { requireBackend } from './objects.ts';
import { existing, loadTraffic, notFound } from './write.ts';

const hintFor = (what: string): string => `cluster ${what} ls`;

/** All of them, by id. */
export async function listBackends(session: Session): Promise<Backend[]> {
  return sorted((await loadTraffic(session)).state.backends.values(), ({ Id }) => Id);
}

export async function listFrontends(session: Session): Promise<Frontend[]> {
  const { state } = await loadTraffic(session);
  const frontends = sorted(state.frontends.values(), ({ Id }) => Id);
  sayTroubles(session, state, frontends);
  return frontends;
}

export async function listHosts(session: Session): Promise<Host[]> {
  return sorted((await loadTraffic(session)).state.hosts.values(), ({ Name }) => Name);
}

export async function listListeners(session: Session): Promise<Listener[]> {
  return sorted((await loadTraffic(session)).state.listeners.values(), ({ Id }) => Id);
}

/** The servers of one backend, which may have no key of its own. */
export async function listServers(session: Session, backend: string | undefined): Promise<Server[]> {
  const { state } = await loadTraffic(session);
  const id = wanted('backend', backend);
  const servers = state.servers.get(id);
  if (servers === undefined && !state.stored.has(pathOf({ kind: 'backend', id })))
    throw notFound('backend', id, state.backends.keys());
  return sorted(servers?.values() ?? [], ({ Id }) => Id);
}

export type BackendCard = Backend & { readonly Servers: readonly Server[] };

export async function showBackend(session: Session, given: string | undefined): Promise<BackendCard> {
  const traffic = await loadTraffic(session);
  const id = wanted('backend', given);
  const path = pathOf({ kind: 'backend', id });
  const backend = existing(traffic, 'backend', id, traffic.state.backends, path);
  return { ...backend, Servers: sorted(traffic.state.servers.get(id)?.values() ?? [], ({ Id }) => Id) };
}

export type FrontendCard = Frontend & { readonly Middlewares: readonly Middleware[] };

/** With its middlewares in the order in which they run. */
export async function showFrontend(session: Session, given: string | undefined): Promise<FrontendCard> {
  const traffic = await loadTraffic(session);
  const id = wanted('frontend', given);
  const path = pathOf({ kind: 'frontend', id });
  const frontend = existing(traffic, 'frontend', id, traffic.state.frontends, path);
  sayTroubles(session, traffic.state, [frontend]);
  const byId = sorted(traffic.state.middlewares.get(id)?.values() ?? [], ({ Id }) => Id);
  return { ...frontend, Middlewares: byId.sort((a, b) => a.Priority - b.Priority) };
}

export async function showServer(
  session: Session,
  backend: string | undefined,
  given: string | undefined,
): Promise<Server> {
  const traffic = await loadTraffic(session);
  const parent = wanted('backend', backend);
  const id = wanted('server', given);
  const servers = traffic.state.servers.get(parent) ?? new Map<string, Server>();
  const path = pathOf({ kind: 'server', parent, id });
  if (servers.size === 0 && !traffic.state.stored.has(path)) requireBackend(traffic, parent);
  return existing(traffic, 'server', id, servers, path, `cluster server ls -b ${quoteWord(parent)}`);
}

export async function showHost(session: Session, given: string | undefined): Promise<Host> {
  const traffic = await loadTraffic(session);
  const id = wanted('host', given);
  return existing(traffic, 'host', id, traffic.state.hosts, pathOf({ kind: 'host', id }));
}

export async function showListener(session: Session, given: string | undefined): Promise<Listener> {
  const traffic = await loadTraffic(session);
  const id = wanted('listener', given);
  return existing(traffic, 'listener', id, traffic.state.listeners, pathOf({ kind: 'listener', id }));
}

/** What keeps frontends from being served, which nothing else on the screen would show. */
function sayTroubles(session: Session, state: TrafficState, frontends: readonly Frontend[]): void {
  const yielding = contested(state);
  for (const { Id, BackendId } of frontends) {
    const contest = yielding.get(Id);
    const messages = contest === undefined ? [] : [contest];
    if (!state.stored.has(pathOf({ kind: 'backend', id: BackendId })))
      messages.unshift(`backend ${BackendId} does not exist: requests get 503 until it does`);
    for (const message of messages) session.emit({ kind: 'warning', message: `frontend ${Id}: ${message}` });
  }
}

function wanted(what: string, id: string | undefined): string {
  if (id !== undefined && id !== '') return id;
  const text = what === 'host' ? 'Hostname can not be empty' : `${what} id can not be empty`;
  throw new ClusterError('missing-id', text, { hint: hintFor(what) });
}

function sorted<Item>(items: Iterable<Item>, key: (item: Item) => string): Item[] {
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0));
}
