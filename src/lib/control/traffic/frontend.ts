import { ClusterError } from '../../error.ts';
import { parseRoute } from '../../route/index.ts';
import { quoteWord } from '../../shell-words.ts';
import {
  checkId,
  contestsOf,
  contestText,
  durationMs,
  editFrontend,
  type Frontend,
  type FrontendEdit,
  isObject,
  pathOf,
  pathsOf,
  readFrontend,
  requirePossible,
  storedFrontend,
  usableServers,
} from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { chooseTarget } from './choice.ts';
import { warnAboutGateways } from './gateway-warnings.ts';
import { requireBackend } from './objects.ts';
import { type Served, type WaitRequest, waiterFor } from './wait.ts';
import { loadWithBackend } from './wait-backend.ts';
import {
  type Change,
  checked,
  existing,
  givenId,
  leaseFor,
  loadTraffic,
  removeAll,
  removed,
  type Traffic,
  unchanged,
  warnAbsent,
} from './write.ts';

export interface FrontendRequest extends WaitRequest {
  readonly id: string | undefined;
  /** A backend's id, or the version of one. */
  readonly backend: string | undefined;
  readonly said: FrontendEdit;
  readonly ttl?: string | undefined;
  /** A Go duration: how long to wait for a backend that is being checked. */
  readonly waitBackend?: string | undefined;
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** What a frontend's upsert did, or would do. */
export interface FrontendChange {
  readonly frontend: Frontend;
  /** Where it pointed before; null for a new one. */
  readonly from: string | null;
  readonly to: string;
  /** Is anything written? */
  readonly changed: boolean;
  readonly dryRun: boolean;
  /** The one that has it; null in a dry run. */
  readonly revision: number | null;
}

/**
 * Makes, changes or switches a frontend. `written` hears of it as soon as it stands in the registry, before the
 * gateways are waited for. With `rests` it decides on what was read already, and fails where that has changed.
 * @returns who serves it; null where nobody was waited for.
 */
export async function upsertFrontend(
  session: Session,
  request: FrontendRequest,
  written: (change: FrontendChange) => void,
  rests?: Traffic,
): Promise<Served | null> {
  if (request.id === '' || request.backend === '') throw incomplete('an id is empty');
  if (request.id !== undefined) checkId('frontend id', request.id);
  if (request.id === undefined && request.said.route !== undefined)
    throw incomplete(`--id ID is missing beside --route`);
  const wait = waiterFor(request);
  const waits = !request.force && !request.dryRun;
  if (request.waitBackend !== undefined) durationMs('--wait-backend', request.waitBackend);
  const waitBackend = waits ? request.waitBackend : '0s';
  const traffic = rests ?? (await loadWithBackend(session, { ...request, waitBackend }));
  const choice = chooseTarget(traffic.state, request.id, request.backend);
  const { change, parent } = decide(traffic, choice, request);
  for (const message of warnings(traffic, change, request)) session.emit({ kind: 'warning', message });
  const switched = change.from !== null && change.from !== change.to;
  if (change.changed && !switched)
    await warnAboutGateways(session, traffic.state, { frontend: change.frontend });
  if (request.dryRun) {
    written(change);
    return null;
  }
  const revision = await write(session, traffic, change, parent, request.ttl);
  written({ ...change, revision });
  return wait(session, revision);
}

function decide(
  traffic: Traffic,
  { frontend: id, backend }: { frontend: string; backend: string | undefined },
  request: FrontendRequest,
): { change: FrontendChange; parent: string } {
  const { state } = traffic;
  const current = state.frontends.get(id) ?? null;
  if (current === null && (backend === undefined || request.said.route === undefined))
    throw incomplete(
      state.stored.has(pathOf({ kind: 'frontend', id }))
        ? `what is stored as ${id} does not read well`
        : `there is no frontend ${id} yet`,
    );
  const edited = editFrontend(current ?? blank(id), backend, request.said);
  const parent = requireBackend(traffic, edited.BackendId);
  const value = storedFrontend(edited);
  const frontend = checked('frontend', () => readRouted(id, value));
  if (request.said.route !== undefined) requirePossible(frontend.Route);
  const from = current?.BackendId ?? null;
  const to = frontend.BackendId;
  const unforced = from !== null && from !== to && !request.force;
  if (unforced) existing(traffic, 'backend', to, state.backends, parent);
  if (unforced && usableServers(state, to) === 0)
    throw new ClusterError('no-servers', `backend ${to} has no healthy server: ${id} stays at ${from}`, {
      hint: `cluster server ls -b ${quoteWord(to)}; --force switches all the same`,
    });
  const path = pathOf({ kind: 'frontend', id });
  const changed = !unchanged(traffic, path, value, { ttl: request.ttl });
  return { change: { frontend, from, to, changed, dryRun: request.dryRun, revision: null }, parent };
}

/** @returns the revision that has it. */
async function write(
  session: Session,
  traffic: Traffic,
  { frontend, from, to, changed }: FrontendChange,
  parent: string,
  ttl: string | undefined,
): Promise<number> {
  const { registry, state } = traffic;
  const path = pathOf({ kind: 'frontend', id: frontend.Id });
  if (!changed) return state.stored.get(path)?.revision ?? state.revision;
  const lease = await leaseFor(session, traffic, path, ttl);
  const record = {
    v: 1,
    frontend: frontend.Id,
    from,
    to,
    who: session.who,
    when: new Date().toISOString(),
  } as const;
  const history =
    from === null || from === to
      ? []
      : await (await session.switches()).writesToRecord(record, state.revision);
  return registry.change(
    state,
    [{ put: path, value: storedFrontend(frontend), ...lease }],
    [parent],
    history,
  );
}

function warnings(traffic: Traffic, { frontend }: FrontendChange, { said }: FrontendRequest): string[] {
  const out: string[] = [];
  if (said.route !== undefined) {
    const { foreign } = parseRoute(said.route);
    if (foreign.length > 0)
      out.push(`a real vulcand will not read this route: it knows no ${foreign.join(', ')}`);
    const contests = contestsOf(traffic.state, frontend);
    for (const contest of contests)
      out.push(
        contest.id === frontend.Id
          ? contestText(contest)
          : `frontend ${contest.id}, which a registrator made, is for ${contest.host} too; this one goes first`,
      );
    const twins = [...traffic.state.frontends.values()]
      .filter(({ Id, Route }) => Id !== frontend.Id && Route === frontend.Route)
      .filter(({ Id }) => !contests.some(({ id, winner }) => Id === id || Id === winner))
      .map(({ Id }) => Id);
    if (twins.length > 0)
      out.push(`the same route is that of ${twins.sort().join(', ')}; only one serves it`);
  }
  return out;
}

/** Removes a frontend, its middlewares and its history, and nothing that only begins with its name. */
export async function removeFrontend(session: Session, wanted: string | undefined): Promise<Change> {
  const id = givenId('frontend id', wanted, 'frontend id can not be empty', 'cluster frontend rm --id ID');
  const traffic = await loadTraffic(session);
  const { own, children } = pathsOf(traffic.state, 'frontend', id);
  if (children.length === 0 && !traffic.state.stored.has(own)) {
    warnAbsent(session, 'frontend', id, traffic.state.frontends.keys());
    return removed('frontend', id, { revision: traffic.state.revision, changed: false });
  }
  const history = await (await session.switches()).writesToForget(id);
  return removed('frontend', id, await removeAll(traffic, own, children, history));
}

const shortened = (route: unknown): string => {
  const text = String(route);
  return text.length > 200 ? `${text.slice(0, 200)}...` : text;
};

const predicateOf = ({ Settings }: ReturnType<typeof storedFrontend>): unknown =>
  isObject(Settings) ? Settings.FailoverPredicate : '';

/** Route and predicate errors in vctl's words, with where the fault is. */
function readRouted(id: string, value: ReturnType<typeof storedFrontend>): Frontend {
  try {
    return readFrontend(id, value);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const options = error.hint === undefined ? {} : { hint: error.hint };
    if (error.code === 'route-syntax')
      throw new ClusterError(
        'route-syntax',
        `route should be a valid route expression: ${shortened(value.Route)}: ${error.message}`,
        options,
      );
    if (error.code === 'predicate-syntax')
      throw new ClusterError(
        'predicate-syntax',
        `invalid failover predicate: ${shortened(predicateOf(value))}: ${error.message}`,
        options,
      );
    throw error;
  }
}

const blank = (id: string): Frontend => ({
  Id: id,
  Type: 'http',
  BackendId: '',
  Route: '',
  Settings: {
    Limits: { MaxMemBodyBytes: 0, MaxBodyBytes: 0 },
    FailoverPredicate: '',
    Hostname: '',
    TrustForwardHeader: false,
    PassHostHeader: false,
    Stream: false,
    StreamFlushIntervalNanoSecs: 0,
  },
});

function incomplete(why: string): ClusterError {
  return new ClusterError('missing-id', 'supply valid  route, id, and backendId', {
    hint: `${why}: cluster frontend upsert --id ID -b BACKEND --route 'Host("NAME") && PathRegexp(".*")'`,
  });
}
