import type { Request } from './model.ts';

/** A request as a server or a command line has it. */
export interface RawRequest {
  readonly method: string;
  /** The request target: a path with or without query, or a whole URL. */
  readonly url: string;
  /** Names in any case; of several values the first counts. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i;

/**
 * What routes look at. The host is the Host header's, or the URL's where there is no such header. `Header("Host", ...)`
 * sees the Host header as it was sent.
 */
export function requestOf({ method, url, headers: raw }: RawRequest): Request {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(raw)) {
    const first = typeof value === 'string' ? value : value?.[0];
    if (first !== undefined) headers[name.toLowerCase()] ??= first;
  }
  const [origin = '', authority = ''] = ABSOLUTE.exec(url) ?? [];
  const { host = authority.slice(authority.lastIndexOf('@') + 1) } = headers;
  return { method, host: hostName(host), path: rawPath(url.slice(origin.length)), headers };
}

function rawPath(target: string): string {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  return path === '' ? '/' : path;
}

/** Lower case, port cut off; an IPv6 address keeps its brackets. */
export function hostName(host: string): string {
  const lower = host.trim().toLowerCase();
  const address = /^\[[^\]]*\]/.exec(lower);
  return address === null ? (lower.split(':')[0] ?? '') : address[0];
}
