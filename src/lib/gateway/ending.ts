import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/**
 * What becomes of the proxy when the gateway process ends: `stop` it, `leave` it to the process that systemd
 * starts next, or `linger`: leave it for some seconds, since a start may follow.
 */
export type Ending = 'leave' | 'linger' | 'stop';

/**
 * Asks systemd why this process should end. A restart leaves the proxy alone, and so does a kill without a job in
 * systemd's queue, since the unit is then started again. A stop of a unit that is still wanted may be the first half of
 * a rollout.
 */
export async function endingOf(): Promise<Ending> {
  if (process.env.INVOCATION_ID === undefined) return 'stop';
  const unit = unitOf(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  if (unit === null) return 'stop';
  const job = jobOf(await listJobs(), unit);
  const wanted = existsSync(`/etc/systemd/system/cluster.target.wants/${unit}`);
  return chooseEnding(job, wanted);
}

/** @param job type of systemd's job for the unit; null = none. @param wanted whether the unit is meant to run here. */
export function chooseEnding(job: string | null, wanted: boolean): Ending {
  if (job === 'stop') return wanted ? 'linger' : 'stop';
  return 'leave';
}

/** The service that a process belongs to, from its /proc/PID/cgroup. */
export function unitOf(cgroup: string): string | null {
  const names = [...cgroup.matchAll(/\/([^/\n]+\.service)$/gm)].map(([, name]) => name);
  return names[0] ?? null;
}

/** The type of a unit's job. @param list output of `systemctl list-jobs`: number, unit, type, state. */
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
