import { request as plainRequest } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { formatGoDuration } from '../traffic/index.ts';
import { serverName, trustedAuthorities } from './authorities.ts';
import type { ProbeResult } from './offers/health.ts';
import type { HttpQuestion } from './offers/model.ts';

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/**
 * One request; redirects are not followed. Certificates are only checked where that is asked for: servers are asked by
 * address, and the question is whether they answer, not who they are. Never rejects.
 */
export async function probeHttp(
  scheme: 'http' | 'https',
  { address, port }: HostPort,
  { method, path, host, statuses, verify }: Omit<HttpQuestion, 'kind'>,
  timeoutMs: number,
): Promise<ProbeResult> {
  const headers = {
    'User-Agent': 'cluster-registrator',
    Accept: '*/*',
    Connection: 'close',
    ...(host !== null && { Host: host }),
  };
  const options = { host: address, port, path, method, headers, agent: false as const };
  const tls = scheme === 'https' ? { ...options, ...(await tlsOptions(host, verify)) } : null;
  return new Promise((resolve) => {
    const call = tls === null ? plainRequest(options) : tlsRequest(tls);
    const late = setTimeout(() => {
      resolve(noAnswer(timeoutMs));
      call.destroy();
    }, timeoutMs);
    call.on('close', () => clearTimeout(late));
    call.on('response', (response) => {
      const { statusCode: code = 0 } = response;
      const good = statuses.some(([first, last]) => first <= code && code <= last);
      resolve({ good, text: `HTTP code ${code}` });
      // Read to its end, so that the server sees no reset; a body without an end is cut off by the timeout.
      response.on('error', () => undefined).resume();
    });
    call.on('error', (error) => resolve(failure(error)));
    call.end();
  });
}

/** @param host as in a Host header: a port may follow. */
async function tlsOptions(host: string | null, verify: boolean): Promise<RequestOptions> {
  const name = serverName(host);
  return {
    ...(name !== null && { servername: name }),
    rejectUnauthorized: verify,
    ...(verify && { secureContext: await trustedAuthorities() }),
  };
}

/** One connection, closed at once. */
export function probeTcp({ address, port }: HostPort, timeoutMs: number): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const late = setTimeout(() => {
      resolve(noAnswer(timeoutMs));
      socket.destroy();
    }, timeoutMs);
    socket.on('close', () => clearTimeout(late));
    socket.on('connect', () => {
      resolve({ good: true, text: 'connected' });
      socket.destroy();
    });
    socket.on('error', (error) => resolve(failure(error)));
  });
}

export function noAnswer(timeoutMs: number): ProbeResult {
  return { good: false, text: `no answer within ${formatGoDuration(timeoutMs)}` };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'unknown host name',
  ETIMEDOUT: 'connection timed out',
};

function failure(error: NodeJS.ErrnoException): ProbeResult {
  const code = error.code ?? '';
  // Docker's proxy resets connections while nothing listens in the container yet.
  const refused = code === 'ECONNREFUSED' || code === 'ECONNRESET';
  return { good: false, text: WORDS[code] ?? error.message, refused };
}
