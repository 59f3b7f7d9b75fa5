/** A JSON object as it stands in the store. */
export type JsonObject = { readonly [key: string]: unknown };

/** Field names are vulcand's own: this is what stands in the store and what `--json` prints. */
export interface Backend {
  readonly Id: string;
  readonly Type: 'http';
  readonly Settings: BackendSettings;
}

export interface BackendSettings {
  /** Go durations (`5s`); `0s` = the gateway's default. */
  readonly Timeouts: { readonly Read: string; readonly Dial: string; readonly TLSHandshake: string };
  readonly KeepAlive: { readonly Period: string; readonly MaxIdleConnsPerHost: number };
  readonly TLS: TlsSettings;
  /** Ours; a real vulcand ignores it. Name of the cookie that ties a client to a server; '' = none. */
  readonly StickyCookie: string;
}

export interface TlsSettings {
  readonly PreferServerCipherSuites: boolean;
  readonly InsecureSkipVerify: boolean;
  /** `VersionTLS10` to `VersionTLS13`, or ''. */
  readonly MinVersion: string;
  readonly MaxVersion: string;
  readonly SessionTicketsDisabled: boolean;
  readonly SessionCache: { readonly Type: string; readonly Settings: { readonly Capacity: number } | null };
  readonly CipherSuites: readonly string[];
}

export interface Server {
  readonly Id: string;
  /** `http://host:port`, `https://host:port`; ours: `h2c://host:port`. */
  readonly URL: string;
  /** Ours; a real vulcand ignores it. 0 to 256: share of the requests; 1 where nobody says otherwise. */
  readonly Weight: number;
}

export interface Frontend {
  readonly Id: string;
  readonly Type: 'http';
  readonly BackendId: string;
  readonly Route: string;
  readonly Settings: FrontendSettings;
}

export interface FrontendSettings {
  /** Bytes; 0 = vulcand's default (1 MiB in memory, no limit). */
  readonly Limits: { readonly MaxMemBodyBytes: number; readonly MaxBodyBytes: number };
  readonly FailoverPredicate: string;
  /** What the backend sees as X-Forwarded-Server; '' = the machine's host name. */
  readonly Hostname: string;
  readonly TrustForwardHeader: boolean;
  readonly PassHostHeader: boolean;
  readonly Stream: boolean;
  readonly StreamFlushIntervalNanoSecs: number;
}

export interface Host {
  readonly Name: string;
  readonly Settings: {
    readonly Default: boolean;
    /** Base64 of the sealed key pair's JSON. */
    readonly KeyPair: string | null;
    readonly OCSP: {
      readonly Enabled: boolean;
      readonly Period: string;
      readonly Responders: readonly string[];
      readonly SkipSignatureCheck: boolean;
    };
  };
}

export interface Listener {
  readonly Id: string;
  readonly Protocol: 'http' | 'https';
  readonly Address: { readonly Network: 'tcp' | 'unix'; readonly Address: string };
  /** Ours; a real vulcand ignores it. Octal mode of a Unix socket, such as `0660`; '' = that. */
  readonly SocketMode: string;
  /** A route; '' = everything. */
  readonly Scope: string;
  readonly ProxyProtocol: '' | 'PROXY_V1';
  readonly Settings: { readonly TLS: TlsSettings } | null;
  /** Ours; a real vulcand ignores it. Certificates that clients must or may show; null = they are not asked for one. */
  readonly ClientAuth: ClientAuth | null;
}

export interface ClientAuth {
  readonly Mode: 'required' | 'optional';
  /** Certificates of the authorities that sign clients' certificates, as PEM. */
  readonly CA: string;
}

interface MiddlewareOf<Type extends string, Body> {
  readonly Id: string;
  /** Smaller runs first. */
  readonly Priority: number;
  readonly Type: Type;
  readonly Middleware: Body;
}

export type RateLimit = MiddlewareOf<
  'ratelimit',
  {
    readonly PeriodSeconds: number;
    readonly Requests: number;
    readonly Burst: number;
    /** `client.ip`, `request.host` or `request.header.NAME`. */
    readonly Variable: string;
    /** `request.header.NAME` that carries rates of its own, or ''. */
    readonly RateVar: string;
  }
>;

export type ConnLimit = MiddlewareOf<
  'connlimit',
  { readonly Connections: number; readonly Variable: string }
>;

export type Rewrite = MiddlewareOf<
  'rewrite',
  {
    readonly Regexp: string;
    readonly Replacement: string;
    readonly RewriteBody: boolean;
    readonly Redirect: boolean;
  }
>;

export type Trace = MiddlewareOf<
  'trace',
  {
    readonly ReqHeaders: readonly string[];
    readonly RespHeaders: readonly string[];
    /** `syslog://host:port?f=FACILITY&sev=SEVERITY` or `syslog:///socket`. */
    readonly Addr: string;
  }
>;

export type CircuitBreaker = MiddlewareOf<
  'cbreaker',
  {
    readonly Condition: string;
    readonly Fallback: Fallback;
    readonly OnTripped: Webhook | null;
    readonly OnStandby: Webhook | null;
    /** Nanoseconds. */
    readonly FallbackDuration: number;
    readonly RecoveryDuration: number;
    readonly CheckPeriod: number;
  }
>;

export type Fallback =
  | {
      readonly Type: 'response';
      readonly Action: { readonly StatusCode: number; readonly ContentType: string; readonly Body: string };
    }
  | {
      readonly Type: 'redirect';
      readonly Action: { readonly URL: string; readonly PreservePath: boolean };
    };

export interface Webhook {
  readonly Type: 'webhook';
  readonly Action: {
    readonly URL: string;
    readonly Method: string;
    readonly Headers: { readonly [name: string]: readonly string[] };
    readonly Form: { readonly [name: string]: readonly string[] };
    readonly Body: string;
  };
}

export type Middleware = RateLimit | ConnLimit | Rewrite | Trace | CircuitBreaker;

/** A value that could not be read: reported by its key, left alone, and everything else is served. */
export interface TrafficProblem {
  readonly key: string;
  readonly message: string;
}

/** Everything under vulcand's prefix at one store revision. */
export interface TrafficState {
  readonly hosts: ReadonlyMap<string, Host>;
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly backends: ReadonlyMap<string, Backend>;
  /** By backend id, then server id; also of backends that have no key of their own. */
  readonly servers: ReadonlyMap<string, ReadonlyMap<string, Server>>;
  readonly frontends: ReadonlyMap<string, Frontend>;
  /** By frontend id, then middleware id. */
  readonly middlewares: ReadonlyMap<string, ReadonlyMap<string, Middleware>>;
  /** By path. */
  readonly problems: ReadonlyMap<string, TrafficProblem>;
  /** What was read, by path below the prefix: the value as it stands, its revision and lease. */
  readonly stored: ReadonlyMap<string, Stored>;
  readonly revision: number;
}

export interface Stored {
  /** null where the value is not a JSON object. */
  readonly value: JsonObject | null;
  readonly revision: number;
  readonly lease: string | null;
}
