/** One line of `gateway top`: a frontend, a backend or a server, on one gateway. */
export interface TopRow {
  readonly id: string;
  /** Of a server: its backend. */
  readonly backend: string | null;
  /** Requests per second, over the last second or so. */
  readonly perSecond: number;
  readonly requests: number;
  /** Average over recent requests, milliseconds; null where the proxy does not measure it. */
  readonly latencyMs: number | null;
  /** Answers by their first digit, since the proxy's last reload; null where the proxy does not count them. */
  readonly ok: number | null;
  readonly clientErrors: number | null;
  readonly serverErrors: number | null;
  /** Failed connections and answers. */
  readonly networkErrors: number;
  readonly sessions: number;
  /** Of a server: its state in the proxy's own words. */
  readonly state: string;
  /** Of a server: whether it gets requests. */
  readonly isUp: boolean;
  readonly address: string;
  readonly weight: number | null;
}

export interface Top {
  readonly frontends: readonly TopRow[];
  readonly backends: readonly TopRow[];
  readonly servers: readonly TopRow[];
}

/** Two rows of the same object (such as on two gateways): counters are added, latencies averaged by requests. */
export function sumRows(a: TopRow, b: TopRow): TopRow {
  const add = (x: number | null, y: number | null): number | null =>
    x === null && y === null ? null : (x ?? 0) + (y ?? 0);
  const requests = a.requests + b.requests;
  const latency =
    a.latencyMs === null || b.latencyMs === null
      ? (a.latencyMs ?? b.latencyMs)
      : oneDecimal((a.latencyMs * a.requests + b.latencyMs * b.requests) / Math.max(1, requests));
  return {
    ...a,
    perSecond: oneDecimal(a.perSecond + b.perSecond),
    requests,
    latencyMs: latency,
    ok: add(a.ok, b.ok),
    clientErrors: add(a.clientErrors, b.clientErrors),
    serverErrors: add(a.serverErrors, b.serverErrors),
    networkErrors: a.networkErrors + b.networkErrors,
    sessions: a.sessions + b.sessions,
  };
}

export const oneDecimal = (value: number): number => Math.round(value * 10) / 10;
