/**
 * What HAProxy says of one request of a frontend that has a cbreaker or trace: one UDP datagram of JSON (a syslog header
 * may stand before it), so that the gateway process can count and forward. Other requests are not logged.
 *
 * The log-format that `translate` writes: {"fe":…,"be":…,"srv":…,"m":…,"st":…,"ts":…,"tr":…,"path":…,"rq":{…},"rs":{…}}
 */
export interface RequestLog {
  /** Id of the frontend in the registry. */
  readonly fe: string;
  /** HAProxy backend and server; `<NOSRV>` where none was chosen. */
  readonly be: string;
  readonly srv: string;
  readonly m: string;
  /** Status that the client got; 0 or less where it got none. */
  readonly st: number;
  /** HAProxy's termination state, its first two letters at least: `--`, `SC`, `LR`. */
  readonly ts: string;
  /** Milliseconds until the server's response header; -1 where none came. */
  readonly tr: number;
  /** As received, with the query. */
  readonly path: string;
  /** Wanted request and response headers, by the name that the middleware asks for; absent ones are '' or missing. */
  readonly rq: { readonly [name: string]: string };
  readonly rs: { readonly [name: string]: string };
}

/** null for what is no such line: a datagram can be cut off, and anything local can send one. */
export function readRequestLog(datagram: string): RequestLog | null {
  const start = datagram.indexOf('{');
  if (start === -1) return null;
  let line: unknown;
  try {
    line = JSON.parse(datagram.slice(start));
  } catch {
    return null;
  }
  if (typeof line !== 'object' || line === null) return null;
  const fields = new Map(Object.entries(line));
  const text = (name: string): string => String(fields.get(name) ?? '');
  const number = (name: string): number => {
    const value = Number(fields.get(name) ?? -1);
    return Number.isFinite(value) ? value : -1;
  };
  if (text('fe') === '') return null;
  return {
    fe: text('fe'),
    be: text('be'),
    srv: text('srv'),
    m: text('m'),
    st: number('st'),
    ts: text('ts'),
    tr: number('tr'),
    path: text('path'),
    rq: headers(fields.get('rq')),
    rs: headers(fields.get('rs')),
  };
}

function headers(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, String(item)]));
}

/** 502 and 504 as vulcand counts them, and what HAProxy answers itself where the server's side failed. */
export function isNetworkError({ st, ts }: RequestLog): boolean {
  return st === 502 || st === 504 || /^s/i.test(ts);
}

/** Answered by HAProxy itself (a fallback, a redirect, a limit): says nothing about the servers. */
export function isOwnAnswer({ ts }: RequestLog): boolean {
  return /^[LP]/.test(ts);
}
