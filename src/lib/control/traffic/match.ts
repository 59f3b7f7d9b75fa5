import { ClusterError } from '../../error.ts';
import { requestOf, select } from '../../route/index.ts';
import { routedFrontends } from '../../traffic/index.ts';
import type { Session } from '../session.ts';
import { loadTraffic } from './write.ts';

export interface Match {
  readonly frontend: string | null;
  readonly backend: string | null;
  /** Every frontend whose route matches, the one that serves first. */
  readonly matched: readonly string[];
  readonly reason: string;
}

/** Which frontend of the registry serves this request, and why. `headers` are `NAME:VALUE`. */
export async function matchRequest(
  session: Session,
  url: string,
  method: string,
  headers: readonly string[],
): Promise<Match> {
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(method))
    throw new ClusterError('bad-method', `${JSON.stringify(method.slice(0, 80))} is not an HTTP method`, {
      hint: 'such as --method POST',
    });
  const sent = asSent(url);
  const request = requestOf({ method, url: checkUrl(sent), headers: headerMap(headers, sent) });
  const { state } = await loadTraffic(session);
  const { winner, matched, reason } = select(routedFrontends(state), request);
  const backend = winner === null ? null : (state.frontends.get(winner)?.BackendId ?? null);
  if (backend !== null && (state.servers.get(backend)?.size ?? 0) === 0)
    session.emit({ kind: 'warning', message: `backend ${backend} has no server: the answer is 503` });
  return { frontend: winner, backend, matched, reason };
}

/** A client keeps the fragment, and what names a user, to itself. */
function asSent(url: string): string {
  return url.replace(/#\S*$/, '').replace(/^(https?:\/\/)[^/?#@\s]*@/i, '$1');
}

function checkUrl(url: string): string {
  if (/^(?:https?:\/\/[^/?#\s]+)?(?:\/[^\s#]*)?$|^https?:\/\/[^/?#\s]+\?[^\s#]*$/i.test(url) && url !== '')
    return url;
  throw new ClusterError('bad-url', `${JSON.stringify(url.slice(0, 200))} is not a URL`, {
    hint: 'such as http://a.example.test/path, or /path with --header Host:a.example.test',
  });
}

/** A Host header that is given wins over the URL's host, as on the wire. */
function headerMap(headers: readonly string[], url: string): Record<string, string[]> {
  const host = /^https?:\/\/([^/?#]+)/i.exec(url)?.[1];
  const out = new Map<string, string[]>();
  for (const header of headers) {
    const [, name, value = ''] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*)$/s.exec(header) ?? [];
    if (name === undefined)
      throw new ClusterError('bad-header', `${JSON.stringify(header.slice(0, 80))} is not NAME:VALUE`, {
        hint: 'such as --header X-Debug:1',
      });
    const key = name.toLowerCase();
    out.set(key, [...(out.get(key) ?? []), value.trim()]);
  }
  if (host !== undefined && !out.has('host')) out.set('host', [host]);
  return Object.fromEntries(out);
}
