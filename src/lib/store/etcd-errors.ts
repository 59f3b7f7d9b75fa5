import { ClusterError, EXIT } from '../error.ts';
import { GrpcError, STATUS } from './grpc.ts';

/** An error of etcd or gRPC in words for people. */
export function etcdError(error: unknown, endpoint: string, timeoutMs: number): ClusterError {
  if (error instanceof ClusterError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const make = (code: string, message: string, hint: string): ClusterError =>
    new ClusterError(code, message, { exit: EXIT.store, hint, cause: error });
  if (isLeaseGone(error)) return make('lease-expired', 'the lease has expired', 'run the command again');
  if (/authentication failed|user name is empty|user name not found/.test(text)) {
    return make(
      'store-auth',
      `etcd at ${endpoint} does not accept this login`,
      'check --etcd-user and --etcd-password',
    );
  }
  // A refused watch says so only in the text of its cancellation.
  if (/permission denied/.test(text)) {
    return make(
      'store-auth',
      `etcd at ${endpoint} does not permit this`,
      'grant the user readwrite on the key prefix',
    );
  }
  if (isStaleLogin(error)) {
    return make('store-auth', `etcd at ${endpoint} dropped our login`, 'run the command again');
  }
  if (/authentication is not enabled/.test(text)) {
    return make('store-auth', `etcd at ${endpoint} has no authentication enabled`, 'leave out --etcd-user');
  }
  if (/certificate|\bSSL\b|\bTLS\b|ERR_SSL|ERR_TLS|altname|routines/i.test(text)) {
    const reason =
      /(?:Last error: )?(?:Error: )?([^:.]*certificate[^:;(.]*)/i.exec(text)?.[1]?.trim() ?? 'TLS handshake';
    return make(
      'store-auth',
      `no trusted TLS connection to etcd at ${endpoint} (${reason})`,
      'check --ca-file, --cert-file, --key-file and https:// in --endpoint',
    );
  }
  if (isSilent(error)) {
    const message = `etcd at ${endpoint} gave no answer within ${timeoutMs} ms`;
    return make('store-timeout', message, 'see how etcd is doing, or raise --request-timeout');
  }
  if (isUnsent(error) || has(error, STATUS.unavailable)) return unreachable(endpoint, error);
  return make('store-failed', `etcd at ${endpoint} refused the request: ${text}`, 'see the log of etcd');
}

/** @param endpoint one, or all of them that were tried. */
export function unreachable(endpoint: string, cause?: unknown): ClusterError {
  return new ClusterError('store-unreachable', `etcd cannot be reached at ${endpoint}`, {
    exit: EXIT.store,
    hint: 'check that etcd runs there and that the address is right; --tunnel reaches it over SSH',
    cause,
  });
}

/** The request certainly did not reach a server, so repeating it is safe even for a write. */
export function isUnsent(error: unknown): boolean {
  return error instanceof GrpcError && error.unsent;
}

/** It may have been sent, and nobody answered: another endpoint may. */
export function isSilent(error: unknown): boolean {
  return has(error, STATUS.deadlineExceeded) && !isUnsent(error);
}

/** Worth one more try for a read. */
export function isPassing(error: unknown): boolean {
  return has(error, STATUS.unavailable) || says(error, /leader changed|no leader/);
}

export function isLeaseGone(error: unknown): boolean {
  return says(error, /lease not found/);
}

/** The token of the login is no longer known to the server. */
export function isStaleLogin(error: unknown): boolean {
  return says(error, /invalid auth token/);
}

const has = (error: unknown, status: number): boolean =>
  error instanceof GrpcError && error.status === status;

const says = (error: unknown, words: RegExp): boolean => error instanceof Error && words.test(error.message);
