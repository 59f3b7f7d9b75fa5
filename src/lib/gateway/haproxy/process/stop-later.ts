import { spawn } from 'node:child_process';

const DELAY_SECONDS = 3;

/** Ends a HAProxy gracefully after a few seconds, even if this process is gone, unless file `unless` exists by then. */
export function stopLater(pid: number, unless: string): void {
  const script = 'sleep "$1"; [ -e "$2" ] || kill -USR1 "$3"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(DELAY_SECONDS), unless, String(pid)], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
}
