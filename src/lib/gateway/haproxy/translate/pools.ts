import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { type Backend, readServerUrl, type Server } from '../../../traffic/index.ts';
import type { Note } from '../../model.ts';
import { encodeName } from '../names.ts';
import type { PoolServer } from '../serving.ts';
import { tlsKeywords } from './tls.ts';

/** The servers of one backend as HAProxy's. */
export interface Pool {
  readonly backend: Backend;
  readonly servers: ReadonlyMap<string, PoolServer>;
  readonly hasTls: boolean;
  readonly hasNames: boolean;
  readonly leftOut: readonly Note[];
}

/** File with the certificates of the authorities that servers' certificates are checked against. */
export const SYSTEM_CA = '@system-ca';

/** @param servers of this backend. */
export function poolOf(servers: ReadonlyMap<string, Server>, backend: Backend, caFile: string): Pool {
  const pool = new Map<string, PoolServer>();
  const leftOut: Note[] = [];
  let [hasTls, hasNames] = [false, false];
  for (const { Id, URL, Weight } of servers.values()) {
    const found = readServerUrl(URL);
    if (typeof found === 'string') {
      leftOut.push({ object: `server ${Id} of backend ${backend.Id}`, message: found });
      continue;
    }
    const { scheme, port } = found;
    const address = found.host === 'localhost' ? '127.0.0.1' : found.host;
    if (scheme === 'https') hasTls = true;
    const named = isIP(address) === 0;
    if (named) hasNames = true;
    const tlsName = scheme === 'https' ? found.host : null;
    const words = keywordsOf(backend, Id, tlsName, named, caFile);
    const keywords = scheme === 'h2c' ? ['proto h2', words].filter(Boolean).join(' ') : words;
    pool.set(encodeName(Id), { address, port, weight: Weight, keywords });
  }
  return { backend, servers: pool, hasTls, hasNames, leftOut };
}

/** A pool whose https servers are away for a while. */
export function poolWithTls(pool: Pool): Pool {
  return { ...pool, hasTls: true };
}

/** `tlsName` is the host to ask for and to find in the certificate; null = no TLS. */
function keywordsOf(
  backend: Backend,
  id: string,
  tlsName: string | null,
  named: boolean,
  caFile: string,
): string {
  const { KeepAlive, StickyCookie, TLS } = backend.Settings;
  const words: string[] = [];
  if (tlsName !== null)
    // A WebSocket keeps to HTTP/1.1, which every server that has WebSockets speaks.
    words.push(
      'ssl',
      'alpn h2,http/1.1',
      'ws h1',
      ...verification(TLS.InsecureSkipVerify, tlsName, caFile),
      ...tlsKeywords(TLS).keywords,
    );
  if (KeepAlive.MaxIdleConnsPerHost > 0 && !named)
    words.push(`pool-max-conn ${KeepAlive.MaxIdleConnsPerHost}`);
  if (StickyCookie !== '') words.push(`cookie ${createHash('sha256').update(id).digest('hex').slice(0, 16)}`);
  // An address from /etc/hosts is known at once; DNS is asked repeatedly. HAProxy would go on
  // using an open connection to the address from before, as long as requests come, so none is kept open.
  if (named) words.push('resolvers dns init-addr libc,none pool-max-conn 0');
  return words.join(' ');
}

function verification(skip: boolean, name: string, caFile: string): string[] {
  const sni = isIP(name) === 0 ? [`sni str(${name})`] : [];
  if (skip) return ['verify none', ...sni];
  return [`verify required ca-file ${caFile}`, ...sni, `verifyhost ${name}`];
}
