import { isIP } from 'node:net';
import { parseRoute } from '../../../route/index.ts';
import { LISTENER_DIRECTORY, type Listener, listenerSocket } from '../../../traffic/index.ts';
import type { Note } from '../../model.ts';
import { encodeName } from '../names.ts';
import { Acls } from './acl.ts';
import { clientAuth } from './client-auth.ts';
import { Unservable } from './quote.ts';
import { when } from './text.ts';
import { tlsKeywords } from './tls.ts';

/** Where HAProxy listens, and the rules that limit a listener to its scope. */
export interface Listening {
  readonly binds: readonly string[];
  readonly rules: readonly string[];
  readonly hasTls: boolean;
  readonly hasPlain: boolean;
  readonly hasUnix: boolean;
  /** Names in HAProxy of the listeners that ask clients for a certificate. */
  readonly asking: readonly string[];
  /** Authorities of clients, by file name. */
  readonly files: ReadonlyMap<string, string>;
  readonly leftOut: readonly Note[];
  readonly notes: readonly Note[];
}

export interface ListeningOptions {
  /** Where to listen while the registry has no listener. */
  readonly listen: string;
  /** Whether this machine has IPv6, so that an address without a host means both. */
  readonly ipv6: boolean;
  /** Of Unix sockets on this machine. */
  readonly directory: string;
  /** File with the list of certificates; null = there is none. */
  readonly certificates: string | null;
  /** The answer to a request outside the scope: `status ...`. */
  readonly notFound: string;
}

/** A route's conditions have a limit of 64 words. */
const MAX_CONDITIONS = 50;

export function listening(listeners: Iterable<Listener>, options: ListeningOptions): Listening {
  const binds: string[] = [];
  const rules: string[] = [];
  const leftOut: Note[] = [];
  const notes: Note[] = [];
  const taken = new Map<string, string>();
  const acls = new Acls('s');
  const asking: string[] = [];
  const files = new Map<string, string>();
  let [hasTls, hasPlain, hasUnix] = [false, false, false];
  const all = [...listeners].sort((a, b) => (a.Id < b.Id ? -1 : 1));
  for (const listener of all.length > 0 ? all : [standard(options.listen)]) {
    const object = `listener ${listener.Id}`;
    try {
      const addresses = addressesOf(listener, options);
      const other = addresses.map((address) => taken.get(address)).find((id) => id !== undefined);
      if (other !== undefined) throw new Unservable(`listener ${other} has the same address`);
      const { keywords, notes: differences } = keywordsOf(listener, options);
      const scope = scopeRules(listener, acls, options.notFound);
      const asked = listener.ClientAuth === null ? null : clientAuth(listener.Id, listener.ClientAuth);
      for (const address of addresses) {
        taken.set(address, listener.Id);
        binds.push(`bind ${address} name ${encodeName(listener.Id)}${keywords}${asked?.keywords ?? ''}`);
      }
      if (asked !== null) {
        asking.push(encodeName(listener.Id));
        files.set(asked.file, asked.text);
      }
      rules.push(...(asked?.rules ?? []), ...scope);
      for (const message of differences) notes.push({ object, message });
      if (listener.Protocol === 'https') hasTls = true;
      else hasPlain = true;
      if (listener.Address.Network === 'unix') hasUnix = true;
    } catch (error) {
      if (!(error instanceof Unservable)) throw error;
      leftOut.push({ object, message: error.message });
    }
  }
  return {
    binds,
    rules: [...acls.lines, ...rules],
    hasTls,
    hasPlain,
    hasUnix,
    asking,
    files,
    leftOut,
    notes,
  };
}

function standard(listen: string): Listener {
  return {
    Id: 'default',
    Protocol: 'http',
    Address: { Network: 'tcp', Address: listen },
    SocketMode: '',
    Scope: '',
    ProxyProtocol: '',
    Settings: null,
    ClientAuth: null,
  };
}

/** Addresses as HAProxy writes them. Host names are refused: one that does not resolve would stop all of HAProxy. */
function addressesOf(
  { Address: { Network, Address }, SocketMode }: Listener,
  { ipv6, directory }: ListeningOptions,
): string[] {
  if (Network === 'unix') {
    const name = listenerSocket(Address);
    if (name === null) throw new Unservable(`${Address} is not a name in ${LISTENER_DIRECTORY}`);
    const path = `${directory}/${name}`;
    if (path.length > 90) throw new Unservable(`the path ${path} is too long for a socket`);
    return [`unix@${path} mode ${SocketMode || '0660'}`];
  }
  const [, host = '', digits = ''] = /^(.*):(\d+)$/.exec(Address) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65_535) throw new Unservable(`${Address} has no port from 1 to 65535`);
  const bare = host.replace(/^\[|\]$/g, '');
  if (bare === 'localhost') return [`127.0.0.1:${port}`];
  if (bare === '' || bare === '::') return [`0.0.0.0:${port}`, ...(ipv6 ? [`[::]:${port} v6only`] : [])];
  const kind = isIP(bare);
  if (kind === 0) throw new Unservable(`${bare} is not an IP address`);
  if (kind === 6 && !ipv6) throw new Unservable(`${Address}: this machine has no IPv6`);
  return [kind === 6 ? `[${bare}]:${port}` : `${bare}:${port}`];
}

function keywordsOf(
  { Protocol, ProxyProtocol, Settings }: Listener,
  options: ListeningOptions,
): { keywords: string; notes: readonly string[] } {
  const accept = ProxyProtocol === 'PROXY_V1' ? ' accept-proxy' : '';
  if (Protocol === 'http') return { keywords: accept, notes: [] };
  if (options.certificates === null) throw new Unservable('no host has a key pair, so it cannot speak TLS');
  const tls = Settings === null ? { keywords: [], notes: [] } : tlsKeywords(Settings.TLS);
  const words = ['ssl', `crt-list ${options.certificates}`, 'alpn h2,http/1.1', ...tls.keywords];
  return { keywords: `${accept} ${words.join(' ')}`, notes: tls.notes };
}

function scopeRules({ Id, Scope }: Listener, acls: Acls, notFound: string): string[] {
  if (Scope === '') return [];
  const here = acls.named([`so_name -m str -- ${encodeName(Id)}`]);
  const inside = '{ var(txn.inside) -m found }';
  const rules = parseRoute(Scope).conjunctions.map((conjunction) => {
    if (conjunction.length > MAX_CONDITIONS)
      throw new Unservable(`its scope has more than ${MAX_CONDITIONS} conditions at once`);
    const words = conjunction.map((condition) => acls.word(condition));
    return `http-request set-var(txn.inside) bool(true)${when(here, ...words)}`;
  });
  return [...rules, `http-request return ${notFound}${when(here, `!${inside}`)}`];
}
