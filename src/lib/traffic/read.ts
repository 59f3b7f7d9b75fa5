import { parsePredicate, parseRoute } from '../route/index.ts';
import { parseGoDuration } from './duration.ts';
import { Fields } from './fields.ts';
import type {
  Backend,
  BackendSettings,
  ClientAuth,
  Frontend,
  FrontendSettings,
  Host,
  JsonObject,
  Listener,
  Server,
  TlsSettings,
} from './model.ts';
import { isHost, readServerUrl } from './url.ts';

/**
 * Readers of stored values: the id is the key's, whatever the value says, absent fields have vulcand's defaults, and
 * unknown fields are passed over. They throw an Error that names the field.
 */
export function readBackend(id: string, value: JsonObject): Backend {
  const fields = new Fields(value);
  requireHttp(fields, 'backend');
  const settings = fields.inner('Settings');
  const timeouts = settings.inner('Timeouts');
  const keepAlive = settings.inner('KeepAlive');
  const out: BackendSettings = {
    Timeouts: {
      Read: duration(timeouts, 'Read'),
      Dial: duration(timeouts, 'Dial'),
      TLSHandshake: duration(timeouts, 'TLSHandshake'),
    },
    KeepAlive: {
      Period: duration(keepAlive, 'Period'),
      MaxIdleConnsPerHost: atLeast(0, keepAlive.integer('MaxIdleConnsPerHost'), 'MaxIdleConnsPerHost'),
    },
    TLS: readTls(settings.inner('TLS')),
    StickyCookie: settings.string('StickyCookie'),
  };
  if (!/^[\w.-]*$/.test(out.StickyCookie)) throw new Error('Settings.StickyCookie is not a cookie name');
  return { Id: id, Type: 'http', Settings: out };
}

export function readServer(id: string, value: JsonObject): Server {
  const fields = new Fields(value);
  const url = fields.string('URL');
  const address = readServerUrl(url);
  if (typeof address === 'string') throw new Error(address);
  const weight = fields.integer('Weight', 1);
  if (weight < 0 || weight > 256) throw new Error(`Weight is ${weight}, not 0 to 256`);
  return { Id: id, URL: url, Weight: weight };
}

export function readFrontend(id: string, value: JsonObject): Frontend {
  const fields = new Fields(value);
  requireHttp(fields, 'frontend');
  const backend = fields.string('BackendId');
  const route = fields.string('Route');
  if (backend === '' || route === '') throw new Error('supply valid route, id, and backendId');
  parseRoute(route);
  const settings = fields.inner('Settings');
  const limits = settings.inner('Limits');
  const out: FrontendSettings = {
    Limits: {
      MaxMemBodyBytes: atLeast(0, limits.integer('MaxMemBodyBytes'), 'MaxMemBodyBytes'),
      MaxBodyBytes: atLeast(0, limits.integer('MaxBodyBytes'), 'MaxBodyBytes'),
    },
    FailoverPredicate: settings.string('FailoverPredicate'),
    Hostname: settings.string('Hostname'),
    TrustForwardHeader: settings.boolean('TrustForwardHeader'),
    PassHostHeader: settings.boolean('PassHostHeader'),
    Stream: settings.boolean('Stream'),
    StreamFlushIntervalNanoSecs: settings.integer('StreamFlushIntervalNanoSecs'),
  };
  if (/[\p{Cc}\s]/u.test(out.Hostname)) throw new Error('Settings.Hostname is not a host name');
  if (out.FailoverPredicate !== '') parsePredicate(out.FailoverPredicate);
  return { Id: id, Type: 'http', BackendId: backend, Route: route, Settings: out };
}

export function readHost(name: string, value: JsonObject): Host {
  const settings = new Fields(value).inner('Settings');
  const ocsp = settings.inner('OCSP');
  const keyPair = settings.string('KeyPair');
  return {
    Name: name,
    Settings: {
      Default: settings.boolean('Default'),
      KeyPair: keyPair === '' ? null : keyPair,
      OCSP: {
        Enabled: ocsp.boolean('Enabled'),
        Period: duration(ocsp, 'Period'),
        Responders: ocsp.strings('Responders'),
        SkipSignatureCheck: ocsp.boolean('SkipSignatureCheck'),
      },
    },
  };
}

export function readListener(id: string, value: JsonObject): Listener {
  const fields = new Fields(value);
  const address = fields.inner('Address');
  const scope = fields.string('Scope');
  if (scope !== '') parseRoute(scope);
  const tls = fields.optional('Settings')?.optional('TLS') ?? null;
  const network = address.oneOf('Network', ['tcp', 'unix']);
  const where = address.string('Address');
  if (network === 'tcp' ? !isListenAddress(where) : !/^\/[\w./-]+$/.test(where))
    throw new Error(
      `Address.Address ${JSON.stringify(where.slice(0, 200))} is not ${network === 'tcp' ? 'HOST:PORT' : 'the absolute path of a socket'}`,
    );
  const mode = fields.string('SocketMode');
  if (!/^(0?[0-7]{3})?$/.test(mode))
    throw new Error(`SocketMode ${JSON.stringify(mode)} is not a mode such as 0660`);
  return {
    Id: id,
    Protocol: readProtocol(fields),
    SocketMode: mode,
    Address: { Network: network, Address: where },
    Scope: scope,
    ProxyProtocol: fields.oneOf('ProxyProtocol', ['', 'PROXY_V1']),
    Settings: tls === null ? null : { TLS: readTls(tls) },
    ClientAuth: readClientAuth(fields),
  };
}

/** A listener whose words about clients cannot be honoured is refused as a whole: it must not let everybody in. */
function readClientAuth(fields: Fields): ClientAuth | null {
  const auth = fields.optional('ClientAuth');
  if (auth === null) return null;
  if (readProtocol(fields) !== 'https') throw new Error('ClientAuth needs the protocol https');
  const ca = auth.string('CA');
  if (!/-----BEGIN CERTIFICATE-----/.test(ca)) throw new Error('ClientAuth.CA has no certificate in PEM');
  return { Mode: auth.oneOf('Mode', ['required', 'optional']), CA: ca };
}

/** In vctl's words where it is neither. */
function readProtocol(fields: Fields): 'http' | 'https' {
  const protocol = fields.string('Protocol');
  if (protocol === 'http' || protocol === 'https') return protocol;
  throw new Error(`unsupported protocol '${protocol}', supported protocols are http and https`);
}

/** `HOST:PORT` or `:PORT`. */
function isListenAddress(text: string): boolean {
  const [, host = '', port] = /^([A-Za-z0-9_.-]*|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text) ?? [];
  return Number(port) >= 1 && Number(port) <= 65_535 && (host === '' || isHost(host));
}

const VERSIONS = ['', 'VersionTLS10', 'VersionTLS11', 'VersionTLS12', 'VersionTLS13'] as const;

function readTls(tls: Fields): TlsSettings {
  const cache = tls.inner('SessionCache');
  const capacity = cache.optional('Settings')?.integer('Capacity');
  const suites = tls.strings('CipherSuites');
  const bad = suites.find((suite) => !/^[A-Z0-9_]+$/.test(suite));
  if (bad !== undefined) throw new Error(`TLS.CipherSuites has ${JSON.stringify(bad)}`);
  return {
    PreferServerCipherSuites: tls.boolean('PreferServerCipherSuites'),
    InsecureSkipVerify: tls.boolean('InsecureSkipVerify'),
    MinVersion: tls.oneOf('MinVersion', VERSIONS),
    MaxVersion: tls.oneOf('MaxVersion', VERSIONS),
    SessionTicketsDisabled: tls.boolean('SessionTicketsDisabled'),
    SessionCache: {
      Type: cache.string('Type'),
      Settings: capacity === undefined ? null : { Capacity: capacity },
    },
    CipherSuites: suites,
  };
}

function requireHttp(fields: Fields, what: string): void {
  const type = fields.string('Type');
  if (type !== 'http') throw new Error(`Unsupported ${what} type: ${JSON.stringify(type)}`);
}

function duration(fields: Fields, name: string): string {
  const text = fields.string(name);
  if (text === '') return '0s';
  const ms = parseGoDuration(text);
  if (ms === null || ms < 0) throw new Error(`${name} ${JSON.stringify(text)} is not a duration such as 5s`);
  return text;
}

function atLeast(least: number, value: number, name: string): number {
  if (value >= least) return value;
  throw new Error(`${name} is ${value}, less than ${least}`);
}
