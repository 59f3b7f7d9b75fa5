import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { formatGoDuration } from '../traffic/index.ts';
import type { ProbeResult } from './offers/health.ts';

export interface HostPort {
  readonly address: string;
  readonly port: number;
}

/**
 * One GET; only 200 is good, and redirects are not followed. Certificates are not checked: servers are asked by address,
 * and the question is whether they answer, not who they are.
 */
export function probeHttp(
  scheme: 'http' | 'https',
  { address, port }: HostPort,
  path: string,
  timeoutMs: number,
): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const headers = { 'User-Agent': 'cluster-registrator', Accept: '*/*', Connection: 'close' };
    const options = { host: address, port, path, headers, agent: false as const };
    const call =
      scheme === 'https' ? tlsRequest({ ...options, rejectUnauthorized: false }) : plainRequest(options);
    const late = setTimeout(() => {
      resolve(noAnswer(timeoutMs));
      call.destroy();
    }, timeoutMs);
    call.on('close', () => clearTimeout(late));
    call.on('response', (response) => {
      resolve({ good: response.statusCode === 200, text: `HTTP code ${response.statusCode}` });
      // Read to its end, so that the server sees no reset; a body without an end is cut off by the timeout.
      response.on('error', () => undefined).resume();
    });
    call.on('error', (error) => resolve(failure(error)));
    call.end();
  });
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
