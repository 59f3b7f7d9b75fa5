import { quote } from './quote.ts';

/** What a request must have: a host with an optional port, as in RFC 3986 (Go's server takes the same characters). */
const HOST = String.raw`^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(:[0-9]{0,5})?$`;

const BAD_HOST = `status 400 content-type application/json string ${quote('{"error":"missing or malformed host"}')}`;

/**
 * Refuses a request without a usable Host before anything is looked up by it. HTTP/1.0 knows requests without one: they
 * reach the routes that name no host.
 */
export function hostRules(): string[] {
  return [
    `http-request return ${BAD_HOST} unless { req.fhdr(host,1) -m reg -- ${quote(HOST)} } || !{ req.fhdr_cnt(host) gt 0 } { req.ver 1.0 }`,
  ];
}

/** What a request's header may have at most. */
export interface HeaderLimits {
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
}

/** HAProxy's own limits are wider, since it refuses what is beyond them in words of its own, before any rule. */
export function headerSettings({ maxHeaderBytes, maxHeaders }: HeaderLimits, room: number): string[] {
  return [
    `tune.bufsize ${maxHeaderBytes + 4096 + room}`,
    `tune.maxrewrite ${1024 + room}`,
    `tune.http.maxhdr ${Math.min(32_767, 2 * maxHeaders)}`,
  ];
}

/** What `req.hdrs` has of each line beyond its name and value, in bytes. */
const LINE_EXTRA = 4;

/**
 * `req.fhdr_cnt()` reads every line, and `req.hdrs` writes the whole header anew to measure it. HAProxy knows how many
 * blocks a message has (each line is one) and how long they are together (a body and the request line included), so
 * only requests that may be too large are counted and measured.
 */
export function headerLimitRules({ maxHeaderBytes, maxHeaders }: HeaderLimits): string[] {
  const words = quote('{"error":"request header too large"}');
  const answer = `status 431 content-type application/json string ${words}`;
  const surely = Math.max(0, maxHeaderBytes - LINE_EXTRA * (maxHeaders + 1));
  const tooMany = `{ internal.htx.nbblks gt ${maxHeaders} } { req.fhdr_cnt() gt ${maxHeaders} }`;
  const tooLong = `{ internal.htx.data gt ${surely} } { req.hdrs,length gt ${maxHeaderBytes} }`;
  return [`http-request return ${answer} if ${tooMany} || ${tooLong}`];
}

const BAD_TARGET = `status 400 content-type application/json string ${quote('{"error":"malformed target"}')}`;
const NO_PATH = '!{ url_beg / }';

const NO_TUNNELS = `status 405 content-type application/json string ${quote('{"error":"method not allowed"}')}`;

/**
 * A target with scheme and host is for proxies: servers get its path. `*` of OPTIONS stays. After CONNECT a client could
 * send a server that agrees whatever headers it likes; WebSockets over HTTP/2 have become a GET here.
 */
const TARGET_RULES = [
  `http-request return ${NO_TUNNELS} if { method CONNECT }`,
  `http-request set-uri %[pathq] if ${NO_PATH} { path_beg / }`,
  `http-request set-uri / if ${NO_PATH} { url_sub :// }`,
  `http-request return ${BAD_TARGET} if ${NO_PATH} !{ url * }`,
];

const UPGRADES = '{ req.hdr(connection) -m str -i upgrade }';
/** `Upgrade: h2c` would take the connection to the server out of the gateway's sight. */
const IS_H2C = '{ req.hdr(upgrade) -m beg -i h2c }';

/**
 * `Connection` goes as a whole, since servers behind would remove the headers that it names, ours among them. Clients
 * send it with most requests, so this is apart from `rareRules`.
 */
export function connectionRules(): string[] {
  return [
    `http-request set-var(txn.up) bool(true) if { req.fhdr_cnt(upgrade) eq 1 } ${UPGRADES} !${IS_H2C}`,
    'http-request del-header connection',
  ];
}

/**
 * Rules for what few requests have, which the others skip by one test. They must be the last of their section.
 * What concerns only the client's own connection is not passed on; an upgrade is named anew. `TE: trailers` stays: gRPC
 * needs it.
 * Requests of clients that have shown a certificate pass all of it: servers are told of that after claims are removed.
 * @param names regular expressions of the names of headers that `more` is for, without a comma in them.
 */
export function rareRules(
  names: readonly string[],
  more: readonly string[],
  { clientCertificates }: { readonly clientCertificates: boolean },
): string[] {
  const own = '(?:te|upgrade|http2-settings|keep-alive|proxy)(?:,|$)';
  const uncertified = clientCertificates ? ' !{ ssl_c_used }' : '';
  const rare = `(?:^|,)(?:${[own, 'proxy-', ...names].join('|')})`;
  return [
    `http-request allow if { url_beg / } !{ method CONNECT }${uncertified} !{ req.hdr_names -m reg -- ${quote(rare)} }`,
    'http-request set-header Connection upgrade if { var(txn.up) -m bool }',
    'http-request del-header upgrade unless { var(txn.up) -m bool }',
    'http-request del-header http2-settings',
    'http-request del-header keep-alive',
    'http-request del-header proxy',
    'http-request del-header proxy- -m beg',
    'http-request set-var(txn.te) bool(true) if { req.hdr(te) -m str -i trailers }',
    'http-request del-header te',
    'http-request set-header TE trailers if { var(txn.te) -m bool }',
    ...more,
    ...TARGET_RULES,
  ];
}

export const ANSWER_RULES = [
  'http-response del-header connection unless { status 101 }',
  'http-response del-header keep-alive',
  'http-response del-header proxy- -m beg',
];
