import { ClusterError } from '../error.ts';
import { impossible, parseRoute } from '../route/index.ts';
import { formatGoDuration, parseGoDuration } from './duration.ts';
import type { Backend, ClientAuth, Frontend, Host, Listener, Server, TlsSettings } from './model.ts';
import { readBackend, readHost } from './read.ts';
import { LISTENER_DIRECTORY, listenerSocket } from './url.ts';

/** What a command line says about an object; what is undefined stays as it is. Durations are Go's. */
type Said<Fields> = { readonly [Name in keyof Fields]?: Fields[Name] | undefined };

export type TlsEdit = Said<{
  tlsSkipVerify: boolean;
  tlsPreferServerCs: boolean;
  tlsSessionTicketsOff: boolean;
  tlsMinV: string;
  tlsMaxV: string;
  tlsSessionCache: string;
  tlsSessionCacheCapacity: number;
  tlsCs: readonly string[];
}>;

export type BackendEdit = TlsEdit &
  Said<{
    readTimeout: string;
    dialTimeout: string;
    handshakeTimeout: string;
    keepAlivePeriod: string;
    maxIdleConns: number;
    stickyCookie: string;
  }>;

export type ServerEdit = Said<{ url: string; weight: number }>;

export type FrontendEdit = Said<{
  route: string;
  maxMemBodyKb: number;
  maxBodyKb: number;
  failoverPredicate: string;
  forwardHost: string;
  trustForwardHeader: boolean;
  passHostHeader: boolean;
  stream: boolean;
}>;

export type ListenerEdit = TlsEdit &
  Said<{
    proto: string;
    net: string;
    addr: string;
    scope: string;
    proxyHeader: string;
    socketMode: string;
    /** `required`, `optional` or `none`. */
    clientAuth: string;
    /** PEM, not the name of a file. */
    clientCa: string;
  }>;

export type HostEdit = Said<{
  default: boolean;
  /** Base64 of the sealed JSON. */
  keyPair: string;
  ocsp: boolean;
  ocspSkipCheck: boolean;
  ocspPeriod: string;
  ocspResponder: readonly string[];
}>;

/** A backend as vctl makes it where nothing is said. */
export const newBackend = (id: string): Backend => readBackend(id, { Type: 'http' });

/** A host as vctl makes it where nothing is said. */
export const newHost = (name: string): Host => readHost(name, { Settings: { OCSP: { Period: '1h0m0s' } } });

export function editBackend(backend: Backend, said: BackendEdit): Backend {
  const { Timeouts, KeepAlive, TLS, StickyCookie } = backend.Settings;
  return {
    ...backend,
    Settings: {
      Timeouts: {
        Read: duration('--read-timeout', said.readTimeout) ?? Timeouts.Read,
        Dial: duration('--dial-timeout', said.dialTimeout) ?? Timeouts.Dial,
        TLSHandshake: duration('--handshake-timeout', said.handshakeTimeout) ?? Timeouts.TLSHandshake,
      },
      KeepAlive: {
        Period: duration('--keep-alive-period', said.keepAlivePeriod) ?? KeepAlive.Period,
        MaxIdleConnsPerHost: said.maxIdleConns ?? KeepAlive.MaxIdleConnsPerHost,
      },
      TLS: editTls(TLS, said),
      StickyCookie: said.stickyCookie ?? StickyCookie,
    },
  };
}

export function editServer(server: Server, said: ServerEdit): Server {
  return { Id: server.Id, URL: said.url ?? server.URL, Weight: said.weight ?? server.Weight };
}

/** The body limits are said in KiB and stored in bytes. */
export function editFrontend(frontend: Frontend, backend: string | undefined, said: FrontendEdit): Frontend {
  const { Limits, ...settings } = frontend.Settings;
  return {
    ...frontend,
    BackendId: backend ?? frontend.BackendId,
    Route: said.route ?? frontend.Route,
    Settings: {
      Limits: {
        MaxMemBodyBytes: bytes(said.maxMemBodyKb) ?? Limits.MaxMemBodyBytes,
        MaxBodyBytes: bytes(said.maxBodyKb) ?? Limits.MaxBodyBytes,
      },
      FailoverPredicate: said.failoverPredicate ?? settings.FailoverPredicate,
      Hostname: said.forwardHost ?? settings.Hostname,
      TrustForwardHeader: said.trustForwardHeader ?? settings.TrustForwardHeader,
      PassHostHeader: said.passHostHeader ?? settings.PassHostHeader,
      Stream: said.stream ?? settings.Stream,
      StreamFlushIntervalNanoSecs: settings.StreamFlushIntervalNanoSecs,
    },
  };
}

export function editHost(host: Host, said: HostEdit): Host {
  const odd = said.ocspResponder?.find((url) => !/^https?:\/\/[\x21-\x7e]+$/.test(url) || !URL.canParse(url));
  if (odd !== undefined) throw refused('--ocsp-responder', odd, 'a URL', 'http://ocsp.example.test');
  const { Default, KeyPair, OCSP } = host.Settings;
  return {
    ...host,
    Settings: {
      Default: said.default ?? Default,
      KeyPair: said.keyPair ?? KeyPair,
      OCSP: {
        Enabled: said.ocsp ?? OCSP.Enabled,
        Period: duration('--ocsp-period', said.ocspPeriod) ?? OCSP.Period,
        Responders: said.ocspResponder ?? OCSP.Responders,
        SkipSignatureCheck: said.ocspSkipCheck ?? OCSP.SkipSignatureCheck,
      },
    },
  };
}

/** @throws `route-never-matches` for a route that no request can match, with the right way to write it. */
export function requirePossible(route: string): void {
  const found = impossible(parseRoute(route));
  if (found === null) return;
  throw new ClusterError('route-never-matches', found.problem, { hint: found.hint });
}

/** A listener as JSON, not yet checked: its words come from a command line. Only https has TLS settings. */
export function editListener(id: string, listener: Listener | null, said: ListenerEdit) {
  const Protocol = said.proto ?? listener?.Protocol ?? 'http';
  const tls = listener?.Settings?.TLS ?? newBackend(id).Settings.TLS;
  const network = said.net ?? listener?.Address.Network ?? 'tcp';
  const address = said.addr ?? listener?.Address.Address ?? '';
  return {
    Id: id,
    Protocol,
    Address: {
      Network: network,
      Address: network === 'unix' && address !== '' ? socketPath(address) : address,
    },
    SocketMode: socketMode(said.socketMode) ?? listener?.SocketMode ?? '',
    Scope: said.scope ?? listener?.Scope ?? '',
    ProxyProtocol: said.proxyHeader?.replace(/^none$/, '') ?? listener?.ProxyProtocol ?? '',
    Settings: Protocol === 'https' ? { TLS: editTls(tls, said) } : null,
    ClientAuth: editClientAuth(listener?.ClientAuth ?? null, Protocol, said),
  };
}

/** Authorities alone mean that a certificate is required. @throws `bad-value`, `client-auth`. */
function editClientAuth(
  before: ClientAuth | null,
  protocol: string,
  { clientAuth, clientCa }: ListenerEdit,
): ClientAuth | null {
  const mode = clientAuth ?? before?.Mode ?? (clientCa === undefined ? 'none' : 'required');
  if (mode !== 'none' && mode !== 'required' && mode !== 'optional')
    throw refused('--client-auth', mode, 'required, optional or none', 'required');
  const ca = clientCa ?? before?.CA;
  if (mode === 'none') {
    if (clientCa === undefined) return null;
    throw new ClusterError(
      'client-auth',
      '--client-ca is given, but clients are not asked for a certificate',
      {
        hint: '--client-auth required or optional',
      },
    );
  }
  if (ca === undefined)
    throw new ClusterError('client-auth', `--client-auth ${mode}: no authority is known to check them by`, {
      hint: '--client-ca FILE, with the certificates of the authorities in PEM',
    });
  if (protocol !== 'https')
    throw new ClusterError('client-auth', 'only a listener with https can ask clients for a certificate', {
      hint: '--proto https, or --client-auth none',
    });
  return { Mode: mode, CA: ca };
}

/** @throws `bad-value` for a path that is not in the directory of gateways' own sockets. */
function socketPath(address: string): string {
  const name = listenerSocket(address);
  if (name !== null) return `${LISTENER_DIRECTORY}/${name}`;
  throw refused('--addr', address, `a name for a socket in ${LISTENER_DIRECTORY}`, 'web.sock');
}

function socketMode(mode: string | undefined): string | undefined {
  if (mode === undefined || /^(0?[0-7]{3})?$/.test(mode)) return mode;
  throw refused('--socket-mode', mode, 'a mode in octal digits', '0660');
}

/** @throws `bad-value` for a session cache that a vulcand would not read. */
function editTls(tls: TlsSettings, said: TlsEdit) {
  if (said.tlsSessionCache !== undefined && !['', 'LRU'].includes(said.tlsSessionCache))
    throw refused('--tls-session-cache', said.tlsSessionCache, 'a session cache', 'LRU');
  if ((said.tlsSessionCacheCapacity ?? 0) < 0)
    throw refused('--tls-session-cache-capacity', `${said.tlsSessionCacheCapacity}`, 'a number', '1024');
  const type = said.tlsSessionCache ?? tls.SessionCache.Type;
  const capacity = said.tlsSessionCacheCapacity ?? tls.SessionCache.Settings?.Capacity ?? 0;
  return {
    PreferServerCipherSuites: said.tlsPreferServerCs ?? tls.PreferServerCipherSuites,
    InsecureSkipVerify: said.tlsSkipVerify ?? tls.InsecureSkipVerify,
    MinVersion: said.tlsMinV ?? tls.MinVersion,
    MaxVersion: said.tlsMaxV ?? tls.MaxVersion,
    SessionTicketsDisabled: said.tlsSessionTicketsOff ?? tls.SessionTicketsDisabled,
    SessionCache: { Type: type, Settings: type === 'LRU' ? { Capacity: capacity } : null },
    CipherSuites: said.tlsCs ?? tls.CipherSuites,
  };
}

const refused = (flag: string, text: string, what: string, such: string): ClusterError =>
  new ClusterError('bad-value', `${flag} ${JSON.stringify(text.slice(0, 80))} is not ${what}`, {
    hint: `such as ${flag} ${such}`,
  });

/** As Go prints it; @throws `bad-duration`. */
function duration(flag: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return formatGoDuration(durationMs(flag, text));
}

/** Milliseconds, never negative; @throws `bad-duration`. */
export function durationMs(flag: string, text: string): number {
  const ms = parseGoDuration(text);
  if (ms !== null && ms >= 0) return ms;
  throw new ClusterError('bad-duration', `${flag} ${JSON.stringify(text.slice(0, 40))} is not a duration`, {
    hint: 'a number with its unit: 300ms, 5s, 1h30m',
  });
}

const bytes = (kb: number | undefined): number | undefined => (kb === undefined ? undefined : kb * 1024);
