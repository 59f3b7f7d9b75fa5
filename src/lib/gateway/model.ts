/** A remark about one object of the registry. */
export interface Note {
  /** As a person names it: `frontend f1`, `server s1 of backend b1`. */
  readonly object: string;
  readonly message: string;
}

/** Where a proxy does not do what the registry says. */
export interface Notes {
  /** Objects that are not served, and why; everything else is. */
  readonly leftOut: readonly Note[];
  /** What is served differently from what the object says. */
  readonly notes: readonly Note[];
}

/** Opens the sealed key pair of a host: PEM with the certificates and the private key, or why it cannot be used. */
export type OpenKeyPair = (sealed: string) => string | Error;

/** One answered request of a frontend that has a circuit breaker or a trace. */
export interface ServedRequest {
  /** Id in the registry. */
  readonly frontend: string;
  readonly method: string;
  /** As received, with the query. */
  readonly path: string;
  /** Status that the client got; 0 or less where it got none. */
  readonly status: number;
  /** Milliseconds until the server's response header; -1 where none came. */
  readonly latencyMs: number;
  /** No server could be reached, or it broke off: what vulcand counts as a network error. */
  readonly isNetworkError: boolean;
  /** Answered by the proxy itself (a fallback, a redirect, a limit): says nothing about the servers. */
  readonly isOwnAnswer: boolean;
  /** Headers that traces of the frontend ask for, by the name that they ask for; absent ones are '' or missing. */
  readonly requestHeaders: Readonly<Record<string, string>>;
  readonly responseHeaders: Readonly<Record<string, string>>;
}

/** A cbreaker middleware of a frontend. */
export interface BreakerId {
  readonly frontend: string;
  readonly middleware: string;
}
