import { type ConnLimit, formatGoDuration, type RateLimit } from '../../../traffic/index.ts';
import { LONGEST_MS } from './backends.ts';
import { header, quote } from './quote.ts';
import type { Group } from './steps.ts';
import { when } from './text.ts';

/** A limit as rules of the HAProxy frontend, and the section with the table that it counts in. */
export interface Limit {
  readonly rules: readonly string[];
  readonly table: readonly string[];
}

/** `counter` is one of HAProxy's three. */
export function limitOf(limit: ConnLimit | RateLimit, counter: number, group: Group): Limit {
  return limit.Type === 'connlimit' ? connLimit(limit, counter, group) : rateLimit(limit, counter, group);
}

/** What HAProxy does differently, in sentences. */
export function limitNotes(limit: ConnLimit | RateLimit): string[] {
  if (limit.Type === 'connlimit') return [];
  const { RateVar } = limit.Middleware;
  return [
    ...(RateVar === '' ? [] : [`${RateVar} is not read: its own rate counts for every request`]),
    ...(windowMs(limit) === LONGEST_MS
      ? ['a burst that takes more than 24 days to refill counts as one of 24 days']
      : []),
  ];
}

/** At most N requests at a time. */
function connLimit({ Middleware }: ConnLimit, counter: number, group: Group): Limit {
  const { Connections: most, Variable } = Middleware;
  return {
    rules: [
      ...track(Variable, counter, group),
      // The request itself is counted already.
      refuse(`max connections reached: ${most}`, '', group.mine, `{ sc_conn_cur(${counter}) gt ${most} }`),
    ],
    table: table(group, Variable, 'conn_cur', 60_000),
  };
}

/**
 * vulcand's bucket holds `Burst` requests and gets `Requests` new ones per period. HAProxy counts the requests that it
 * let through in the time that an empty bucket takes to fill: the same burst, and the same rate in the long run.
 */
function rateLimit(limit: RateLimit, counter: number, group: Group): Limit {
  const { Burst, Variable } = limit.Middleware;
  const window = windowMs(limit);
  const wait = formatGoDuration(Math.max(1, Math.round(eachMs(limit))));
  return {
    rules: [
      ...track(Variable, counter, group),
      refuse(
        `max rate reached: retry-in ${wait}`,
        ` hdr X-Retry-In ${wait}`,
        group.mine,
        `{ sc_gpc0_rate(${counter}) ge ${Burst} }`,
      ),
      `http-request sc-inc-gpc0(${counter})${when(group.mine)}`,
    ],
    table: table(group, Variable, `gpc0_rate(${window}ms)`, Math.min(LONGEST_MS, window + 1000)),
  };
}

/** The time for one request. */
const eachMs = ({ Middleware: { PeriodSeconds, Requests } }: RateLimit): number =>
  (PeriodSeconds * 1000) / Requests;

const windowMs = (limit: RateLimit): number =>
  Math.max(1, Math.min(LONGEST_MS, Math.ceil(eachMs(limit) * limit.Middleware.Burst)));

function track(variable: string, counter: number, group: Group): string[] {
  const { table: name, mine, isShared } = group;
  const action = `http-request track-sc${counter}`;
  if (variable === 'client.ip')
    return isShared
      ? [`${action} var(txn.fe),concat(=,sess.ip) table ${name}${when(mine, '{ var(sess.ip) -m found }')}`]
      : [`${action} src table ${name}${when(mine)}`];
  const wanted = variable.slice('request.header.'.length);
  const value = variable === 'request.host' ? 'var(txn.host)' : header('req', wanted);
  const key = `txn.k${counter}`;
  // An absent header counts as a value too, but HAProxy keeps no empty keys.
  const whole = isShared ? `var(txn.fe),concat(=,${key})` : `str(=),concat(,${key})`;
  return [
    `http-request unset-var(${key})${when(mine)}`,
    `http-request set-var(${key}) ${value}${when(mine)}`,
    `${action} ${whole} table ${name}${when(mine)}`,
  ];
}

function refuse(body: string, headers: string, mine: string, over: string): string {
  return `http-request return status 429 content-type text/plain string ${quote(body)}${headers}${when(mine, over)}`;
}

function table(
  { table: name, isShared }: Group,
  variable: string,
  store: string,
  expireMs: number,
): string[] {
  const own = variable === 'client.ip' ? 'ipv6 size 100k' : 'string len 128 size 100k';
  const type = isShared ? 'string len 256 size 1m' : own;
  return [`backend ${name}`, `  stick-table type ${type} expire ${expireMs}ms store ${store}`];
}
