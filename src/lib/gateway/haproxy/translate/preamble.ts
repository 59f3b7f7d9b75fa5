import { DEFAULTS, KEEP_ALIVE } from './backends.ts';
import { CERTIFICATE_ROOM } from './client-auth.ts';
import { USUAL } from './failover.ts';
import { type HeaderLimits, headerSettings } from './hop-by-hop.ts';

/** The worker's own user, and the directory that is all it sees of the file system. */
export interface Worker {
  readonly uid: number;
  readonly gid: number;
  readonly jail: string;
}

export interface ProcessSettings {
  readonly limits: HeaderLimits;
  readonly drainMs: number;
  /** null = HAProxy stays what the gateway is. */
  readonly worker: Worker | null;
}

/** What HAProxy answers itself, as JSON, by file name. A server that cannot be reached is a 502, as in vulcand. */
export function ownAnswers(): ReadonlyMap<string, string> {
  return new Map([
    ['answers/400.http', answer('400 Bad Request', 'bad request: malformed, or its header is too large')],
    ['answers/408.http', answer('408 Request Timeout', 'request timeout')],
    ['answers/500.http', answer('500 Internal Server Error', 'internal error')],
    ['answers/502.http', answer('502 Bad Gateway', 'bad gateway')],
    ['answers/504.http', answer('504 Gateway Timeout', 'gateway timeout')],
  ]);
}

function answer(status: string, message: string): string {
  const body = `{"error":"${message}"}`;
  const lines = [
    `HTTP/1.1 ${status}`,
    'Content-Type: application/json',
    'Cache-Control: no-cache',
    `Content-Length: ${body.length}`,
    '',
    body,
  ];
  return lines.join('\r\n');
}

/**
 * `global` and `defaults`. Files are named relative to the configuration's own directory. `adminSocket` is where the
 * worker takes commands, and hands its listening sockets to the next one; `asksClients`: a listener asks clients for
 * certificates.
 */
export function preamble(
  adminSocket: string,
  { limits, drainMs, worker }: ProcessSettings,
  asksClients: boolean,
): string[] {
  return [
    'global',
    ...headerSettings(limits, asksClients ? CERTIFICATE_ROOM : 0).map((line) => `  ${line}`),
    `  hard-stop-after ${drainMs}ms`,
    ...(worker === null ? [] : [`  uid ${worker.uid}`, `  gid ${worker.gid}`, `  chroot ${worker.jail}`]),
    '  default-path config',
    `  stats socket ${adminSocket} mode 600 level admin expose-fd listeners`,
    // HAProxy allocates memory for as many descriptors as the limit allows, which in containers can be a billion.
    '  fd-hard-limit 200000',
    '  no strict-limits',
    '  tune.ssl.default-dh-param 2048',
    // One cache of TLS sessions serves all listeners: with it, a client that another listener has let in, even by a
    // certificate of another authority, would resume its session here. Tickets are each listener's own.
    ...(asksClients ? ['  tune.ssl.cachesize 0'] : []),
    '',
    'defaults',
    '  mode http',
    '  balance roundrobin',
    '  option idle-close-on-response',
    '  option redispatch 1',
    `  retries ${USUAL.retries}`,
    `  retry-on ${USUAL.on.join(' ')}`,
    `  timeout connect ${DEFAULTS.dialMs}ms`,
    `  timeout server ${DEFAULTS.readMs}ms`,
    '  timeout client 60s',
    // A side that has closed its half and then says nothing: it may be gone without a word.
    '  timeout client-fin 60s',
    `  timeout server-fin ${DEFAULTS.readMs}ms`,
    '  timeout http-request 30s',
    '  timeout http-keep-alive 60s',
    '  timeout tunnel 1h',
    ...KEEP_ALIVE.map((line) => `  ${line}`),
    '  errorfile 400 answers/400.http',
    '  errorfile 408 answers/408.http',
    '  errorfile 500 answers/500.http',
    '  errorfile 502 answers/502.http',
    '  errorfile 503 answers/502.http',
    '  errorfile 504 answers/504.http',
    '',
  ];
}
