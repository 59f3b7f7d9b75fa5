import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/**
 * What becomes of HAProxy when the gateway process is told to end: `stop` it, `leave` it to the process that systemd
 * starts next, or `linger`: leave it for some seconds, since a start may follow.
 */
export type Ending = 'leave' | 'linger' | 'stop';

const LINGER_SECONDS = 3;

/**
 * Asks systemd why this process should end. A restart leaves HAProxy alone, and so does a kill that nobody queued a job
 * for, as the unit is started again. A stop of a unit that is still wanted may be the first half of a roll-out.
 */
export async function endingOf(): Promise<Ending> {
  if (process.env.INVOCATION_ID === undefined) return 'stop';
  const unit = unitOf(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  if (unit === null) return 'stop';
  const job = jobOf(await listJobs(), unit);
  const wanted = existsSync(`/etc/systemd/system/cluster.target.wants/${unit}`);
  return chooseEnding(job, wanted);
}

/** `job` is the type of systemd's job for the unit, null for none; `wanted`: it is to run here, as far as anyone said. */
export function chooseEnding(job: string | null, wanted: boolean): Ending {
  if (job === 'stop') return wanted ? 'linger' : 'stop';
  return 'leave';
}

/** The service that a process runs in, by its /proc/PID/cgroup. */
export function unitOf(cgroup: string): string | null {
  const names = [...cgroup.matchAll(/\/([^/\n]+\.service)$/gm)].map(([, name]) => name);
  return names[0] ?? null;
}

/** `systemctl list-jobs`: number, unit, type, state. */
export function jobOf(list: string, unit: string): string | null {
  for (const line of list.split('\n')) {
    const [, name, type] = line.trim().split(/\s+/);
    if (name === unit && type !== undefined) return type;
  }
  return null;
}

function listJobs(): Promise<string> {
  return new Promise((resolve) => {
    const args = ['list-jobs', '--no-legend', '--plain', '--full'];
    execFile('systemctl', args, { timeout: 2000 }, (_error, stdout) => resolve(stdout));
  });
}

/** Ends a HAProxy gracefully after a while, unless another gateway process is there by then (`file` exists again). */
export function endLater(pid: number, file: string): void {
  const script = 'sleep "$1"; [ -e "$2" ] || kill -USR1 "$3"';
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(LINGER_SECONDS), file, String(pid)], {
    detached: true,
    stdio: 'ignore',
  });
  child.unref();
}
