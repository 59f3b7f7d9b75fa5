import type { SshOptions } from '../port.ts';

const GONE_AFTER_MS = 10_000;
/** A machine may miss so many questions in a row, so that one lost packet or a short pause does no harm. */
const MISSED = 4;

/** How an open connection finds out that its machine is gone. */
export interface KeepAlive {
  readonly intervalMs: number;
  /** Unanswered questions before the connection is given up, one interval after the last; absent = the client's default. */
  readonly count?: number;
}

/**
 * One answer for all transports: the time that was asked for, else what the client's configuration says
 * (ServerAliveInterval, ServerAliveCountMax), else the default time.
 */
export function keepAliveOf(
  options: Pick<SshOptions, 'goneAfterMs' | 'goneAfterChosen'>,
  host: { readonly keepAliveMs?: number; readonly keepAliveCount?: number },
): KeepAlive {
  if (!options.goneAfterChosen && host.keepAliveMs !== undefined) {
    const count = host.keepAliveCount;
    return { intervalMs: host.keepAliveMs, ...(count !== undefined && { count }) };
  }
  const goneAfterMs = options.goneAfterMs ?? GONE_AFTER_MS;
  return { intervalMs: Math.ceil(goneAfterMs / (MISSED + 1)), count: MISSED };
}

/** The same for OpenSSH, which counts whole seconds: never later than asked for, except below two seconds. */
export function inSeconds({ intervalMs, count = 3 }: KeepAlive): { interval: number; count: number } {
  const interval = Math.max(1, Math.floor(intervalMs / 1000));
  const goneAfter = (intervalMs * (count + 1)) / 1000;
  return { interval, count: Math.max(1, Math.floor(goneAfter / interval) - 1) };
}
