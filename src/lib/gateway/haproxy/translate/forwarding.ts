import type { Frontend } from '../../../traffic/index.ts';
import { encodeName } from '../names.ts';
import { CERTIFICATE_CLAIMS } from './client-auth.ts';
import { argument, literal, quote } from './quote.ts';

export const TRUST_MAP = 'trust.map';
export const NAMES_MAP = 'names.map';
export const LIMITS_MAP = 'limits.map';

/** Settings of frontends that HAProxy looks up, by the frontend's name in HAProxy. */
export interface Settings {
  /** Those that believe the client's X-Forwarded headers. */
  readonly trust: ReadonlyMap<string, string>;
  /** X-Forwarded-Server where it is not the machine's name. */
  readonly names: ReadonlyMap<string, string>;
  /** Most bytes of a body. */
  readonly limits: ReadonlyMap<string, string>;
}

export function settingsOf(frontends: Iterable<Frontend>): Settings {
  const trust = new Map<string, string>();
  const names = new Map<string, string>();
  const limits = new Map<string, string>();
  for (const { Id, Settings } of frontends) {
    const name = encodeName(Id);
    if (Settings.TrustForwardHeader) trust.set(name, '1');
    if (/^[\x21-\x7e]+$/.test(Settings.Hostname)) names.set(name, Settings.Hostname);
    if (Settings.Limits.MaxBodyBytes > 0) limits.set(name, String(Settings.Limits.MaxBodyBytes));
  }
  return { trust, names, limits };
}

/** Body limits: by Content-Length; a body without one is measured as far as it fits into the buffer. */
export function bodyLimitRules({ limits }: Settings): string[] {
  if (limits.size === 0) return [];
  const limited = '{ var(txn.most) -m found }';
  const body = quote('{"error":"request body too large"}');
  return [
    `http-request set-var(txn.most) var(txn.fe),map_str_int(${LIMITS_MAP})`,
    `http-request wait-for-body time 5s if ${limited} !{ req.fhdr_cnt(content-length) gt 0 }`,
    `http-request return status 413 content-type application/json string ${body} if ${limited} { req.body_size,sub(txn.most) gt 0 }`,
  ];
}

/** How requests can arrive. */
export interface Arrivals {
  readonly hasTls: boolean;
  readonly hasPlain: boolean;
  readonly hasUnix: boolean;
}

/** The client's address as text, made once for a connection; absent on Unix sockets. */
const CLIENT = 'var(sess.ip)';

/** Rule of a connection that `forwardingRules` needs. */
export const CLIENT_RULE = 'tcp-request session set-var(sess.ip) src,concat()';

/**
 * Everything that could be taken for a word of ours about the client, also in the spellings that CGI and its like read as
 * the same name (`X_Forwarded_For`), and what we do not say at all (`Forwarded`, `X-Forwarded-Prefix`), or only of
 * clients that have shown a certificate; not the names of ours, which are replaced anyway.
 */
const OURS = '(?!x-(?:forwarded-(?:for|proto|host|port|server)|real-ip)(?:,|$))';
const CLAIMS = [
  `${OURS}x[^a-z0-9](?:forwarded|real[^a-z0-9]ip(?:,|$))`,
  'forwarded(?:,|$)',
  CERTIFICATE_CLAIMS,
];
const CLAIMS_RULE = `http-request del-header ${quote(`^(?:${CLAIMS.join('|')})`)} -m reg`;

/** A converter that replaces all matches. */
const replaced = (regexp: string, by: string): string => `regsub(${argument(regexp)},${argument(by)},g)`;

/**
 * One line of X-Forwarded-For, and the other headers before it. What is after the last one
 * is behind the last \x01.
 */
const LINES = String.raw`(?i)(?:(?!x-forwarded-for:)[^\n]*\n)*x-forwarded-for:[ \t]*([^\r\n]*)\r?\n`;

const TRUSTS = '{ var(txn.trust) -m found }';
/** Several lines of X-Forwarded-For mean one list; servers that read only one line would miss the others. */
const SEVERAL = `${TRUSTS} { req.fhdr_cnt(x-forwarded-for) gt 1 }`;
const ONE_LINE = [
  `http-request set-var(txn.xff) ${quote(`req.hdrs,${replaced(LINES, '\\1\\x01')},${replaced('\\x01[^\\x01]*$', '')},${replaced('\\x01', ', ')}`)} if ${SEVERAL}`,
  `http-request set-header X-Forwarded-For %[var(txn.xff)] if ${SEVERAL}`,
];

/** Rules that every request passes, and those for the names of headers that few requests have. */
export interface Forwarding {
  readonly rules: readonly string[];
  readonly rareNames: readonly string[];
  readonly rareRules: readonly string[];
}

/**
 * The headers that tell a server who the client is: the client's own are replaced, or completed for frontends that trust them.
 * X-Forwarded-Host is the client's Host.
 */
export function forwarding({ trust, names }: Settings, arrivals: Arrivals, hostname: string): Forwarding {
  const proto = arrivals.hasTls ? (arrivals.hasPlain ? '%[ssl_fc,iif(https,http)]' : 'https') : 'http';
  const port = arrivals.hasTls ? (arrivals.hasPlain ? '%[ssl_fc,iif(443,80)]' : '443') : '80';
  const own = quote(literal(hostname));
  const server =
    names.size === 0 || !/^[\w.-]+$/.test(hostname)
      ? own
      : `%[var(txn.fe),map_str(${NAMES_MAP},${hostname})]`;
  const known = arrivals.hasUnix ? `{ ${CLIENT} -m found }` : '';
  const claimsOfUnknown = (condition: string): string[] =>
    ['X-Forwarded-For', 'X-Real-Ip']
      .filter(() => arrivals.hasUnix)
      .map((name) => `http-request del-header ${name} if !${known} ${condition}`.trimEnd());
  if (trust.size === 0)
    return {
      rules: [
        ...claimsOfUnknown(''),
        set('X-Forwarded-For', `%[${CLIENT}]`, known),
        set('X-Real-Ip', `%[${CLIENT}]`, known),
        set('X-Forwarded-Proto', proto),
        set('X-Forwarded-Host', '%[req.fhdr(host,1)]'),
        set('X-Forwarded-Port', port),
        set('X-Forwarded-Port', '%[req.fhdr(host,1),port_only]', '{ req.fhdr(host,1),port_only gt 0 }'),
        set('X-Forwarded-Server', server),
      ],
      rareNames: CLAIMS,
      rareRules: [CLAIMS_RULE],
    };
  /** Replaces the header; for a trusted client it only fills it in where it is missing. */
  const complete = (name: string, value: string, condition = ''): string[] => {
    const free = [`!${TRUSTS}`, condition].filter(Boolean).join(' ');
    const absent = [`{ req.fhdr_cnt(${name}) eq 0 }`, condition].filter(Boolean).join(' ');
    return [set(name, value, `${free} || ${absent}`)];
  };
  return {
    rules: [
      `http-request set-var(txn.trust) var(txn.fe),map_str(${TRUST_MAP})`,
      ...claimsOfUnknown(`!${TRUSTS}`),
      ...ONE_LINE,
      set(
        'X-Forwarded-For',
        `%[req.fhdr(x-forwarded-for,1)], %[${CLIENT}]`,
        `${TRUSTS} { req.fhdr_cnt(x-forwarded-for) eq 1 } ${known}`,
      ),
      ...complete('X-Forwarded-For', `%[${CLIENT}]`, known),
      ...complete('X-Real-Ip', `%[${CLIENT}]`, known),
      ...complete('X-Forwarded-Proto', proto),
      ...complete('X-Forwarded-Host', '%[req.fhdr(host,1)]'),
      `http-request set-var(txn.port) req.fhdr(host,1),port_only`,
      ...complete('X-Forwarded-Port', port, '!{ var(txn.port) -m int gt 0 }'),
      ...complete('X-Forwarded-Port', '%[var(txn.port)]', '{ var(txn.port) -m int gt 0 }'),
      set('X-Forwarded-Server', server),
    ],
    rareNames: CLAIMS,
    rareRules: [`${CLAIMS_RULE} unless ${TRUSTS}`],
  };
}

function set(name: string, value: string, condition = ''): string {
  const word = /\s/.test(value) && !value.startsWith("'") ? quote(value) : value;
  return `http-request set-header ${name} ${word}${condition.trim() === '' ? '' : ` if ${condition.trim()}`}`;
}
