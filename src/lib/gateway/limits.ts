import { type ConnLimit, formatGoDuration, type RateLimit } from '../traffic/index.ts';
import { LONGEST_MS } from './backends.ts';
import { encodeName } from './name.ts';
import { header, quote } from './quote.ts';
import { when } from './text.ts';

/** A limit as rules of the HAProxy frontend, and the section with the table that it counts in. */
export interface Limit {
  readonly rules: readonly string[];
  readonly table: readonly string[];
  readonly notes: readonly string[];
}

/** At most N requests at a time; `counter` is one of HAProxy's three, `mine` the condition for this frontend. */
export function connLimit(
  frontend: string,
  { Id, Middleware }: ConnLimit,
  counter: number,
  mine: string,
): Limit {
  const name = tableName(frontend, Id);
  const { Connections: most, Variable } = Middleware;
  return {
    rules: [
      ...track(Variable, counter, name, mine),
      // The request itself is counted already.
      refuse(`max connections reached: ${most}`, '', mine, `{ sc_conn_cur(${counter}) gt ${most} }`),
    ],
    table: table(name, Variable, 'conn_cur', 60_000),
    notes: [],
  };
}

/**
 * vulcand's bucket holds `Burst` requests and gets `Requests` new ones per period. HAProxy counts what it let through in
 * the time in which an empty bucket would be full again: the same burst and the same rate in the long run.
 */
export function rateLimit(
  frontend: string,
  { Id, Middleware }: RateLimit,
  counter: number,
  mine: string,
): Limit {
  const name = tableName(frontend, Id);
  const { PeriodSeconds, Requests, Burst, Variable, RateVar } = Middleware;
  const each = (PeriodSeconds * 1000) / Requests;
  const window = Math.max(1, Math.min(LONGEST_MS, Math.ceil(each * Burst)));
  const rate = `gpc0_rate(${window}ms)`;
  const wait = formatGoDuration(Math.max(1, Math.round(each)));
  const notes = [
    ...(RateVar === '' ? [] : [`${RateVar} is not read: its own rate counts for every request`]),
    ...(window === LONGEST_MS
      ? ['a burst that takes more than 24 days to refill counts as one of 24 days']
      : []),
  ];
  return {
    rules: [
      ...track(Variable, counter, name, mine),
      refuse(
        `max rate reached: retry-in ${wait}`,
        ` hdr X-Retry-In ${wait}`,
        mine,
        `{ sc_gpc0_rate(${counter}) ge ${Burst} }`,
      ),
      `http-request sc-inc-gpc0(${counter})${when(mine)}`,
    ],
    table: table(name, Variable, rate, Math.min(LONGEST_MS, window + 1000)),
    notes,
  };
}

/** No id of the registry can have this name: it begins with a colon and a small letter. */
const tableName = (frontend: string, id: string): string =>
  `:limit:${encodeName(frontend)}:${encodeName(id)}`;

function track(variable: string, counter: number, name: string, mine: string): string[] {
  if (variable === 'client.ip') return [`http-request track-sc${counter} src table ${name}${when(mine)}`];
  const wanted = variable.slice('request.header.'.length);
  const value = variable === 'request.host' ? 'var(txn.host)' : header('req', wanted);
  const key = `txn.k${counter}`;
  return [
    `http-request unset-var(${key})${when(mine)}`,
    `http-request set-var(${key}) ${value}${when(mine)}`,
    // An absent header is a value too; HAProxy keeps no empty keys.
    `http-request track-sc${counter} str(=),concat(,${key}) table ${name}${when(mine)}`,
  ];
}

function refuse(body: string, headers: string, mine: string, over: string): string {
  return `http-request return status 429 content-type text/plain string ${quote(body)}${headers}${when(mine, over)}`;
}

function table(name: string, variable: string, store: string, expireMs: number): string[] {
  const type = variable === 'client.ip' ? 'ipv6' : 'string len 128';
  return [`backend ${name}`, `  stick-table type ${type} size 100k expire ${expireMs}ms store ${store}`];
}
