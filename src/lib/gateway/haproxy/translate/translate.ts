import { parseRoute } from '../../../route/index.ts';
import {
  type Frontend,
  LISTENER_DIRECTORY,
  type Server,
  type TrafficState,
  yieldsOf,
} from '../../../traffic/index.ts';
import type { Note, Notes, OpenKeyPair } from '../../model.ts';
import { backendName, encodeName } from '../names.ts';
import type { PoolServer, Serving } from '../serving.ts';
import { variableRules } from './acl.ts';
import { backendSection } from './backends.ts';
import { type Certificates, certificates } from './certificates.ts';
import { certificateRules } from './client-auth.ts';
import { type Failover, failover, type RetryProfile, STREAM, USUAL } from './failover.ts';
import {
  bodyLimitRules,
  CLIENT_RULE,
  forwarding,
  LIMITS_MAP,
  NAMES_MAP,
  type Settings,
  settingsOf,
  TRUST_MAP,
} from './forwarding.ts';
import { ANSWER_RULES, connectionRules, headerLimitRules, hostRules, rareRules } from './hop-by-hop.ts';
import { type Listening, listening } from './listeners.ts';
import { Memo } from './memo.ts';
import { BREAKERS_MAP, Middlewares } from './middlewares.ts';
import { type Pool, poolOf, poolWithTls, SYSTEM_CA } from './pools.ts';
import { ownAnswers, type ProcessSettings, preamble } from './preamble.ts';
import { quote } from './quote.ts';
import { HOSTS_MAP, NUMBERS_MAP, PATHS_MAP, type Routing, routing } from './routing.ts';

export { decodeName, encodeName, readBackendName } from '../names.ts';
export { renderConfig } from './render.ts';

/** What a machine has, as far as it decides what can be served there. */
interface Machine {
  /** `HOST:PORT` or `:PORT`, while the registry has no listener. */
  readonly listen: string;
  /** Opens hosts' key pairs; null = they are not looked at, and taken to be usable. */
  readonly openKeyPair: OpenKeyPair | null;
  /** Milliseconds of Unix time, for certificates; every one counts as valid where absent. */
  readonly now?: number;
  /** Whether this machine has IPv6; without, only IPv4 addresses are listened on. */
  readonly ipv6?: boolean;
  /** Where the sockets of listeners are on this machine; LISTENER_DIRECTORY where absent. */
  readonly listenerDirectory?: string;
  /** Certificates of the authorities that `https` servers are checked against; the system's where absent. */
  readonly caFile?: string;
}

export interface TranslateOptions extends Machine {
  readonly openKeyPair: OpenKeyPair;
  /** X-Forwarded-Server for frontends that do not set their own. */
  readonly hostname: string;
  /** Absolute path of the worker's command socket. */
  readonly adminSocket: string;
  /** Unix socket that takes the lines of `requests/log.ts`, as the worker sees it. */
  readonly logSocket: string;
  /** Defaults of the gateway where absent. */
  readonly process?: ProcessSettings;
}

/** Frontend's name in HAProxy -> HAProxy backend. A switch changes one entry of it. */
export const FRONTENDS_MAP = 'frontends.map';
/** Looked up twice, which costs less than remembering it. */
const TARGET = `var(txn.fe),map_str(${FRONTENDS_MAP})`;
/** Name of the table that counts requests by frontend's name. */
export const COUNTERS_TABLE = ':frontends';

const USUAL_PROCESS: ProcessSettings = {
  limits: { maxHeaderBytes: 16_384, maxHeaders: 100 },
  drainMs: 6 * 3_600_000,
  worker: null,
};

const NOT_FOUND = `status 404 content-type application/json string ${quote('{"error":"not found"}')}`;
const NO_SERVER = `status 503 content-type application/json string ${quote('{"error":"no server"}')}`;
/** Every backend gets a section for each way to retry, so that a switch needs no reload, up to this many sections. */
const MAX_SPARE_SECTIONS = 500;

/** A frontend that is served, and how it retries. */
interface Served {
  readonly frontend: Frontend;
  readonly failover: Failover;
}

/** The registry in HAProxy's words, before the configuration is put together. */
interface Parts {
  readonly served: readonly Served[];
  readonly routes: Routing;
  readonly settings: Settings;
  readonly middlewares: Middlewares;
  readonly certs: Certificates;
  readonly listeners: Listening;
  readonly backends: Backends;
}

/**
 * What HAProxy must serve so that it does what the registry says. Pure, and never fails: what cannot be served is in
 * `leftOut` with its reason, and everything else is served.
 * @param memo of whoever translates one state after the other: with it a change costs only what it touches.
 */
export function translate(state: TrafficState, options: TranslateOptions, memo = new Memo()): Serving {
  const parts = partsOf(state, options, memo);
  const { served, routes, settings, middlewares, certs, listeners, backends } = parts;

  const structure = [
    ...preamble(options.adminSocket, options.process ?? USUAL_PROCESS, listeners.asking.length > 0),
    ...middlewares.logging.section(options.logSocket),
    'frontend gateway',
    ...gatewayLines(options, parts).map((line) => `  ${line}`),
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
    files: new Map([...ownAnswers(), ...certs.files, ...listeners.files, ...middlewares.files]),
    ...collectNotes(state, parts),
  };
}

/** What HAProxy leaves out of a state or does differently, on a machine that has IPv6 and can open every key pair. */
export function notesOf(state: TrafficState): Notes {
  const machine = { listen: ':80', openKeyPair: null, ipv6: true };
  return collectNotes(state, partsOf(state, machine, new Memo()));
}

function partsOf(state: TrafficState, machine: Machine, memo: Memo): Parts {
  const frontends = byId(state.frontends);
  const routed = frontends.map((frontend) => ({
    id: frontend.Id,
    route: memo.call(parseRoute, frontend.Route),
    yields: yieldsOf(state, frontend),
  }));
  const routes = routing(routed, memo);
  const lost = new Set(routes.leftOut.map(({ object }) => object));
  const kept = frontends.filter(({ Id }) => !lost.has(`frontend ${Id}`));
  const served = kept.map((frontend) => ({
    frontend,
    failover: memo.call(failover, frontend.Settings.FailoverPredicate),
  }));

  const middlewares = new Middlewares();
  for (const { Id } of kept) middlewares.add(Id, state.middlewares.get(Id)?.values() ?? []);

  const certs = certificates(state.hosts.values(), machine.openKeyPair, machine.now ?? null);
  const listeners = listening(state.listeners.values(), {
    listen: machine.listen,
    ipv6: machine.ipv6 ?? false,
    directory: machine.listenerDirectory ?? LISTENER_DIRECTORY,
    certificates: certs.list,
    notFound: NOT_FOUND,
  });

  const backends = backendSections(state, served, machine.caFile ?? SYSTEM_CA, memo);
  return { served, routes, settings: settingsOf(kept), middlewares, certs, listeners, backends };
}

function collectNotes(state: TrafficState, parts: Parts): Notes {
  const { served, routes, certs, listeners, backends, middlewares } = parts;
  return {
    leftOut: [
      ...[...state.problems.values()].map(({ key, message }) => ({ object: key, message })),
      ...[routes, certs, listeners, backends, middlewares].flatMap(({ leftOut }) => leftOut),
    ],
    notes: [
      ...served.flatMap((one) => frontendNotes(state, one)),
      ...[routes, certs, listeners, middlewares].flatMap(({ notes }) => notes),
    ],
  };
}

/** Sorted, since the state's order is that of the last writes, which must not change the structure. */
function byId<Value extends { readonly Id: string }>(objects: ReadonlyMap<string, Value>): Value[] {
  return [...objects.values()].sort((a, b) => (a.Id < b.Id ? -1 : 1));
}

/** From the request to the backend: the order of these rules is the order in which things happen to a request. */
function gatewayLines(options: TranslateOptions, parts: Parts): string[] {
  const { routes, settings, middlewares, listeners } = parts;
  const told = forwarding(settings, listeners, options.hostname);
  const rules = [
    ...headerLimitRules((options.process ?? USUAL_PROCESS).limits),
    ...hostRules(),
    ...listeners.rules,
    ...routes.lines,
    `http-request return ${NOT_FOUND} unless { var(txn.fe) -m found }`,
    `http-request track-sc0 var(txn.fe) table ${COUNTERS_TABLE}`,
    ...middlewares.logging.rules(),
    ...bodyLimitRules(settings),
    ...middlewares.steps.lines(),
    // A worker that a reload replaces counts no servers any more, and still answers on connections it holds.
    `http-request return ${NO_SERVER} unless { ${TARGET},nbsrv gt 0 } or { stopping }`,
    ...connectionRules(),
    ...told.rules,
    ...rareRules(told.rareNames, [...told.rareRules, ...certificateRules(listeners.asking)], {
      clientCertificates: listeners.asking.length > 0,
    }),
    ...ANSWER_RULES,
    `use_backend %[${TARGET}]`,
  ];
  return [
    ...listeners.binds,
    CLIENT_RULE,
    ...middlewares.logging.settings(),
    ...variableRules(rules),
    ...rules,
  ];
}

const profileOf = ({ frontend, failover }: Served): RetryProfile =>
  frontend.Settings.Stream ? STREAM : failover.profile;

function targets(state: TrafficState, served: readonly Served[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const one of served) {
    const { Id, BackendId } = one.frontend;
    if (state.backends.has(BackendId)) found.set(encodeName(Id), backendName(BackendId, profileOf(one).tag));
  }
  return found;
}

const NO_SERVERS: ReadonlyMap<string, Server> = new Map();

interface Backends {
  readonly lines: readonly string[];
  readonly pools: ReadonlyMap<string, ReadonlyMap<string, PoolServer>>;
  readonly leftOut: readonly Note[];
}

/**
 * Backends that are gone keep an empty section for a while: a container that crashes and starts again and again takes its
 * own backend with it each time, and must not cost a reload each time.
 */
function backendSections(
  state: TrafficState,
  served: readonly Served[],
  caFile: string,
  memo: Memo,
): Backends {
  const others = new Map<string, RetryProfile>();
  const needed = new Set<string>();
  for (const one of served) {
    const profile = profileOf(one);
    if (profile.tag === '') continue;
    others.set(profile.tag, profile);
    needed.add(backendName(one.frontend.BackendId, profile.tag));
  }
  const spare = others.size * state.backends.size <= MAX_SPARE_SECTIONS;
  const lines: string[] = [];
  const pools = new Map<string, ReadonlyMap<string, PoolServer>>();
  const all: Pool[] = [];
  const gone = memo.gone(state.backends);
  for (const backend of byId(new Map([...state.backends.values(), ...gone].map((one) => [one.Id, one])))) {
    const found = memo.call(poolOf, state.servers.get(backend.Id) ?? NO_SERVERS, backend, caFile);
    if (found.hasTls) memo.withTls.add(backend.Id);
    const pool = !found.hasTls && memo.withTls.has(backend.Id) ? memo.call(poolWithTls, found) : found;
    all.push(pool);
    for (const profile of [USUAL, ...others.values()]) {
      const name = backendName(backend.Id, profile.tag);
      if (profile !== USUAL && !spare && !needed.has(name)) continue;
      lines.push(memo.call(backendSection, pool, profile));
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

/**
 * An address that was found once is kept while DNS fails in whatever way; one that DNS names no more goes as soon as an
 * answer says so. DNS is asked as often as `hold valid` says.
 */
const RESOLVERS = [
  'resolvers dns',
  '  parse-resolv-conf',
  '  accepted_payload_size 4096',
  '  timeout resolve 1s',
  '  timeout retry 1s',
  '  resolve_retries 3',
  '  hold valid 4s',
  '  hold obsolete 0s',
  ...['nx', 'refused', 'timeout', 'other'].map((fault) => `  hold ${fault} 24d`),
];

function frontendNotes(state: TrafficState, { frontend, failover }: Served): Note[] {
  const { Id, BackendId, Settings } = frontend;
  const object = `frontend ${Id}`;
  const notes: Note[] = [];
  if (!state.backends.has(BackendId))
    notes.push({ object, message: `backend ${BackendId} does not exist: requests get 503 until it does` });
  for (const message of failover.notes) notes.push({ object, message: `FailoverPredicate: ${message}` });
  if (Settings.Limits.MaxBodyBytes > 0)
    notes.push({
      object,
      message:
        'MaxBodyBytes: of a body without Content-Length only what fits into a buffer of 16 KiB is counted',
    });
  return notes;
}
