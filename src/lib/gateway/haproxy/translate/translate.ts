import { parseRoute, type Route } from '../../../route/index.ts';
import type { Frontend, TrafficState } from '../../../traffic/index.ts';
import type { Note, PoolServer, Serving } from '../../model.ts';
import { backendName, encodeName } from '../names.ts';
import { variableRules } from './acl.ts';
import { backendSection } from './backends.ts';
import { certificates, type OpenKeyPair } from './certificates.ts';
import { failoverNotes, type RetryProfile, retryProfile } from './failover.ts';
import {
  bodyLimitRules,
  CLIENT_RULE,
  forwardingRules,
  LIMITS_MAP,
  NAMES_MAP,
  type Settings,
  settingsOf,
  TRUST_MAP,
} from './forwarding.ts';
import { type Listening, listening } from './listeners.ts';
import { BREAKERS_MAP, Middlewares } from './middlewares.ts';
import { type Pool, poolOf, SYSTEM_CA } from './pools.ts';
import { ownAnswers, preamble } from './preamble.ts';
import { quote } from './quote.ts';
import { HOSTS_MAP, NUMBERS_MAP, PATHS_MAP, type Routing, routing } from './routing.ts';

export { decodeName, encodeName, readBackendName } from '../names.ts';
export { failoverNotes } from './failover.ts';
export { renderConfig } from './render.ts';

export interface TranslateOptions {
  /** X-Forwarded-Server where a frontend does not say otherwise. */
  readonly hostname: string;
  /** `HOST:PORT` or `:PORT`, while the registry has no listener. */
  readonly listen: string;
  /** Absolute path of the worker's command socket. */
  readonly adminSocket: string;
  /** `127.0.0.1:PORT` that takes the lines of `log.ts` as UDP. */
  readonly logAddress: string;
  /** Opens hosts' key pairs. */
  readonly openKeyPair: OpenKeyPair;
  /** Whether this machine has IPv6; without, only IPv4 addresses are listened on. */
  readonly ipv6?: boolean;
  /** Certificates of the authorities that `https` servers are checked against; the system's where absent. */
  readonly caFile?: string;
}

/** Frontend's name in HAProxy -> HAProxy backend. A switch changes one entry of it. */
export const FRONTENDS_MAP = 'frontends.map';
/** Looked up twice, which costs less than to remember it. */
const TARGET = `var(txn.fe),map_str(${FRONTENDS_MAP})`;
/** Name of the table that counts requests by frontend's name. */
export const COUNTERS_TABLE = ':frontends';

const NOT_FOUND = `status 404 content-type application/json string ${quote('{"error":"not found"}')}`;
const NO_SERVER = `status 503 content-type application/json string ${quote('{"error":"no server"}')}`;
/** Other ways to retry are offered for every backend, so that a switch needs no reload, up to this many sections. */
const MAX_SPARE_SECTIONS = 500;

/**
 * What HAProxy must serve so that it does what the registry says. Pure, and never fails: what cannot be served is in
 * `leftOut` with its reason, and everything else is served.
 */
export function translate(state: TrafficState, options: TranslateOptions): Serving {
  const frontends = byId(state.frontends);
  const routes = routing(frontends.map((frontend) => ({ id: frontend.Id, route: routeOf(frontend) })));
  const lost = new Set(routes.leftOut.map(({ object }) => object));
  const served = frontends.filter(({ Id }) => !lost.has(`frontend ${Id}`));
  const settings = settingsOf(served);
  const middlewares = new Middlewares();
  for (const { Id } of served) middlewares.add(Id, state.middlewares.get(Id)?.values() ?? []);
  const certs = certificates(state.hosts.values(), options.openKeyPair);
  const heard = listening(state.listeners.values(), {
    listen: options.listen,
    ipv6: options.ipv6 ?? false,
    certificates: certs.list,
    notFound: NOT_FOUND,
  });
  const backends = backendSections(state, served, options.caFile ?? SYSTEM_CA);
  const structure = [
    ...preamble(options.adminSocket),
    'frontend gateway',
    ...gatewayLines(options, routes, settings, middlewares, heard).map((line) => `  ${line}`),
    '',
    `backend ${COUNTERS_TABLE}`,
    '  stick-table type string len 128 size 20k expire 24h store http_req_cnt,http_req_rate(10s),http_err_cnt,http_fail_cnt',
    ...middlewares.steps.tables,
    ...backends.lines,
  ];
  return {
    structure: `${structure.join('\n')}\n`,
    pools: backends.pools,
    // In the order in which entries must come: what a frontend points at before the routes to it.
    maps: new Map<string, ReadonlyMap<string, string>>([
      [FRONTENDS_MAP, targets(state, served)],
      [TRUST_MAP, settings.trust],
      [NAMES_MAP, settings.names],
      [LIMITS_MAP, settings.limits],
      ...middlewares.steps.maps,
      [NUMBERS_MAP, routes.numbers],
      [PATHS_MAP, routes.paths],
      [HOSTS_MAP, routes.hosts],
      [BREAKERS_MAP, new Map()],
    ]),
    files: new Map([...ownAnswers(), ...certs.files, ...middlewares.files]),
    breakers: middlewares.breakers,
    leftOut: [
      ...[...state.problems.values()].map(({ key, message }) => ({ object: key, message })),
      ...[routes, certs, heard, backends, middlewares].flatMap(({ leftOut }) => leftOut),
    ],
    notes: [
      ...served.flatMap((frontend) => frontendNotes(state, frontend)),
      ...[certs, heard, middlewares].flatMap(({ notes }) => notes),
    ],
  };
}

/** In an order of their own: what was written last stands last in the state, and must not change the structure. */
function byId<Value extends { readonly Id: string }>(objects: ReadonlyMap<string, Value>): Value[] {
  return [...objects.values()].sort((a, b) => (a.Id < b.Id ? -1 : 1));
}

const routesOf = new Map<string, Route>();
const MAX_ROUTES = 20_000;

/** The same text gives the very same route, so that a change of something else costs no reading and no sorting. */
function routeOf({ Route: text }: Frontend): Route {
  const known = routesOf.get(text);
  if (known !== undefined) return known;
  const route = parseRoute(text);
  if (routesOf.size >= MAX_ROUTES) routesOf.clear();
  routesOf.set(text, route);
  return route;
}

/** From the request to the backend: the order of these rules is the order in which things happen to a request. */
function gatewayLines(
  options: TranslateOptions,
  routes: Routing,
  settings: Settings,
  middlewares: Middlewares,
  heard: Listening,
): string[] {
  const rules = [
    ...heard.rules,
    ...routes.lines,
    `http-request return ${NOT_FOUND} unless { var(txn.fe) -m found }`,
    `http-request track-sc0 var(txn.fe) table ${COUNTERS_TABLE}`,
    ...middlewares.logging.rules(),
    ...bodyLimitRules(settings),
    ...middlewares.steps.lines(),
    // A worker that a reload replaces counts no servers any more, and still answers on connections it holds.
    `http-request return ${NO_SERVER} unless { ${TARGET},nbsrv gt 0 } or { stopping }`,
    ...forwardingRules(settings, heard, options.hostname),
    `use_backend %[${TARGET}]`,
  ];
  return [
    ...heard.binds,
    CLIENT_RULE,
    ...middlewares.logging.settings(options.logAddress),
    ...variableRules(rules),
    ...rules,
  ];
}

const profileOf = ({ Settings }: Frontend): RetryProfile =>
  retryProfile(Settings.FailoverPredicate, Settings.Stream);

function targets(state: TrafficState, served: readonly Frontend[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const frontend of served)
    if (state.backends.has(frontend.BackendId))
      found.set(encodeName(frontend.Id), backendName(frontend.BackendId, profileOf(frontend).tag));
  return found;
}

interface Backends {
  readonly lines: readonly string[];
  readonly pools: ReadonlyMap<string, ReadonlyMap<string, PoolServer>>;
  readonly leftOut: readonly Note[];
}

function backendSections(state: TrafficState, served: readonly Frontend[], caFile: string): Backends {
  const usual = retryProfile('');
  const others = new Map<string, RetryProfile>();
  const needed = new Set<string>();
  for (const frontend of served) {
    const profile = profileOf(frontend);
    if (profile.tag === '') continue;
    others.set(profile.tag, profile);
    needed.add(backendName(frontend.BackendId, profile.tag));
  }
  const spare = others.size * state.backends.size <= MAX_SPARE_SECTIONS;
  const lines: string[] = [];
  const pools = new Map<string, ReadonlyMap<string, PoolServer>>();
  const all: Pool[] = [];
  for (const backend of byId(state.backends)) {
    const pool = poolOf(backend, state.servers.get(backend.Id), caFile);
    all.push(pool);
    for (const profile of [usual, ...others.values()]) {
      const name = backendName(backend.Id, profile.tag);
      if (profile !== usual && !spare && !needed.has(name)) continue;
      lines.push(backendSection(backend, pool, profile));
      pools.set(name, pool.servers);
    }
  }
  return { lines: [...shared(all, caFile), ...lines], pools, leftOut: all.flatMap(({ leftOut }) => leftOut) };
}

/** What some servers need from the start, so that the next one like them can come while HAProxy runs. */
function shared(pools: readonly Pool[], caFile: string): string[] {
  return [
    ...(pools.some(({ hasNames }) => hasNames) ? RESOLVERS : []),
    ...(pools.some(({ hasTls }) => hasTls)
      ? ['backend :authorities', `  server none 127.0.0.1:9 disabled ssl verify required ca-file ${caFile}`]
      : []),
  ];
}

/** An address that was once found is kept while DNS does not know better. */
const RESOLVERS = [
  'resolvers dns',
  '  parse-resolv-conf',
  '  hold valid 10s',
  ...['nx', 'refused', 'timeout', 'other', 'obsolete'].map((fault) => `  hold ${fault} 24d`),
];

function frontendNotes(state: TrafficState, { Id, BackendId, Settings }: Frontend): Note[] {
  const object = `frontend ${Id}`;
  const notes: Note[] = [];
  if (!state.backends.has(BackendId))
    notes.push({ object, message: `backend ${BackendId} does not exist: requests get 503 until it does` });
  for (const message of failoverNotes(Settings.FailoverPredicate))
    notes.push({ object, message: `FailoverPredicate: ${message}` });
  if (Settings.Limits.MaxBodyBytes > 0)
    notes.push({
      object,
      message:
        'MaxBodyBytes: of a body without Content-Length only what fits into a buffer of 16 KiB is counted',
    });
  return notes;
}
