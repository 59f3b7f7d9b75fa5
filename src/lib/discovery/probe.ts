import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { formatGoDuration } from '../traffic/index.ts';
import type { Answer } from './offers/health.ts';

export interface Place {
  readonly address: string;
  readonly port: number;
}

/**
 * One GET; only 200 is good, a redirect is not followed. No certificate is checked: servers are asked by address, and
 * this says whether they answer, not who they are.
 */
export function probeHttp(
  scheme: 'http' | 'https',
  { address, port }: Place,
  path: string,
  timeoutMs: number,
): Promise<Answer> {
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
      resolve({ good: response.statusCode === 200, said: `HTTP code ${response.statusCode}` });
      // Read to its end, so that the server sees no reset; one without an end is cut off when time is up.
      response.on('error', () => undefined).resume();
    });
    call.on('error', (error) => resolve(failure(error)));
    call.end();
  });
}

/** One connection, closed at once. */
export function probeTcp({ address, port }: Place, timeoutMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const late = setTimeout(() => {
      resolve(noAnswer(timeoutMs));
      socket.destroy();
    }, timeoutMs);
    socket.on('close', () => clearTimeout(late));
    socket.on('connect', () => {
      resolve({ good: true, said: 'connected' });
      socket.destroy();
    });
    socket.on('error', (error) => resolve(failure(error)));
  });
}

export function noAnswer(timeoutMs: number): Answer {
  return { good: false, said: `no answer within ${formatGoDuration(timeoutMs)}` };
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOTFOUND: 'unknown host name',
  ETIMEDOUT: 'connection timed out',
};

function failure(error: NodeJS.ErrnoException): Answer {
  const code = error.code ?? '';
  // What Docker's proxy does while nothing listens in the container yet.
  const refused = code === 'ECONNREFUSED' || code === 'ECONNRESET';
  return { good: false, said: WORDS[code] ?? error.message, refused };
}
