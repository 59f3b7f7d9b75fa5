import type {
  Backend,
  Frontend,
  Host,
  JsonObject,
  Listener,
  Middleware,
  Server,
  TlsSettings,
} from './model.ts';

/**
 * Objects as vctl stores them: its fields in its order. Fields that are ours stand there only when they say something,
 * or when `previous` has them already (a field that is left out would keep its old value).
 */
export function storedBackend(backend: Backend, previous: JsonObject | null): JsonObject {
  const { Timeouts, KeepAlive, TLS, StickyCookie } = backend.Settings;
  const sticky = StickyCookie !== '' || has(inner(previous, 'Settings'), 'StickyCookie');
  return {
    Id: backend.Id,
    Type: 'http',
    Settings: { Timeouts, KeepAlive, TLS: storedTls(TLS), ...(sticky && { StickyCookie }) },
  };
}

export function storedServer(server: Server, previous: JsonObject | null): JsonObject {
  const { Id, URL, Weight } = server;
  return { Id, URL, ...((Weight !== 1 || has(previous, 'Weight')) && { Weight }) };
}

export function storedFrontend(frontend: Frontend): JsonObject {
  const { Id, Route, BackendId, Settings } = frontend;
  return { Id, Route, Type: 'http', BackendId, Settings };
}

export function storedHost(host: Host): JsonObject {
  const { Default, KeyPair, OCSP } = host.Settings;
  return { Name: host.Name, Settings: { Default, KeyPair, OCSP } };
}

export function storedListener(listener: Listener, previous: JsonObject | null): JsonObject {
  const { Id, Protocol, Address, Scope, ProxyProtocol, Settings, SocketMode, ClientAuth } = listener;
  const settings = Settings === null ? null : { TLS: storedTls(Settings.TLS) };
  const written = settings !== null || has(previous, 'Settings');
  const ours = {
    ...((SocketMode !== '' || has(previous, 'SocketMode')) && { SocketMode }),
    ...((ClientAuth !== null || has(previous, 'ClientAuth')) && { ClientAuth }),
  };
  return { Id, Protocol, Address, Scope, ProxyProtocol, ...(written && { Settings: settings }), ...ours };
}

export function storedMiddleware(middleware: Middleware): JsonObject {
  const { Id, Priority, Type, Middleware: body } = middleware;
  return { Id, Priority, Type, Middleware: body };
}

function storedTls(tls: TlsSettings): JsonObject {
  return {
    PreferServerCipherSuites: tls.PreferServerCipherSuites,
    InsecureSkipVerify: tls.InsecureSkipVerify,
    MinVersion: tls.MinVersion,
    MaxVersion: tls.MaxVersion,
    SessionTicketsDisabled: tls.SessionTicketsDisabled,
    SessionCache: tls.SessionCache,
    CipherSuites: tls.CipherSuites,
  };
}

const has = (value: JsonObject | null, field: string): boolean => value !== null && field in value;

function inner(value: JsonObject | null, field: string): JsonObject | null {
  const found = value?.[field];
  return typeof found === 'object' && found !== null ? (found as JsonObject) : null;
}
