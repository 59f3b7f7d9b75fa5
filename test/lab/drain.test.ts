import { expect } from 'vitest';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { real, withRealLab } from '../support/real.ts';

let at: Workplace;
let first: string;

const unit = (service: string, rules = '') => `[Service]\n${service}\n[X-Fleet]\n${rules}\n`;
const DEAF = 'ExecStart=/bin/sh -c \'trap "" TERM; while :; do sleep 1; done\'\nTimeoutStopSec=4';
/** What it starts goes on when it is stopped. */
const LEAVING = "ExecStart=/bin/sh -c 'sleep 987 & exec sleep infinity'\nKillMode=process";

withRealLab('drain', ['--machines', '3'], async (made) => {
  at = made;
  const rows = JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[];
  first = rows[0]!.id;
  await at.file('web@.service', unit('ExecStart=/bin/sleep infinity'));
  await at.file('g.service', unit('ExecStart=/bin/sleep infinity', 'Global=true'));
});

/** These units come to the first machine. */
async function startThere(...units: readonly string[]): Promise<void> {
  const rows = JSON.parse((await at.ok('list-machines', '--json')).stdout) as { id: string }[];
  const others = rows.map(({ id }) => id).filter((id) => id !== first);
  for (const id of others) await at.ok('machine', 'cordon', id);
  await at.ok('start', '--min-healthy', '0', ...units);
  for (const id of others) await at.ok('machine', 'uncordon', id);
}

const there = async (command: string): Promise<string> => (await at.run('ssh', first, command)).stdout.trim();
const groups = (name: string) => there(`find /sys/fs/cgroup -type d -name '${name}' | wc -l`);
const rows = async (): Promise<{ unit: string; machine: string | null; active: string }[]> =>
  JSON.parse((await at.ok('list-units', '--json')).stdout) as never;

real('a machine is emptied; a unit that is deaf to TERM has left only when it was killed', async () => {
  await at.file('deaf.service', unit(DEAF));
  await startThere('web@<1..3>.service', 'deaf.service');
  await at.ok('start', '--min-healthy', '0', 'g.service');

  const running = at.start('machine', 'drain', '--min-healthy', '300ms', first);
  await eventually(
    'the old copy is asked to stop',
    async () => (await there('systemctl is-active deaf.service')) === 'deactivating',
    30_000,
  );
  expect((await rows()).filter((row) => row.unit === 'deaf.service' && row.active === 'active')).toHaveLength(
    1,
  );
  expect(running.log()).not.toContain('is drained');
  const ran = await running.ran;
  expect(ran, ran.stderr).toMatchObject({ code: 0 });
  expect(ran.stdout).toContain('Rollout 1 done: 5 of 5 units have left');
  expect(Number(/deaf\.service on \S+ is healthy after ([\d.]+) s/.exec(ran.stdout)?.[1])).toBeGreaterThan(4);

  expect(await there('systemctl is-active web@1.service deaf.service g.service | sort -u')).toBe('inactive');
  expect(await groups('web@*.service')).toBe('0');
  expect(await groups('deaf.service')).toBe('0');
  expect(await there('ls /etc/cluster/units | wc -l')).toBe('0');
  const active = (await rows()).filter((row) => row.active === 'active').map((row) => row.unit);
  expect(active.sort()).toEqual([
    'deaf.service',
    'g.service',
    'g.service',
    'web@1.service',
    'web@2.service',
    'web@3.service',
  ]);
  await at.ok('machine', 'uncordon', first);
  expect(await there('systemctl is-active g.service')).toBe('active');
});

real('a process that outlives its unit keeps the drain from being done', async () => {
  await at.file('leaving.service', unit(LEAVING));
  await startThere('leaving.service');
  const ran = await at.run('machine', 'drain', '--min-healthy', '0', '--deadline', '3s', first);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain('has left a process behind on the machine that it leaves');
  expect(await there('systemctl is-active leaving.service')).toBe('inactive');
  await there("find /sys/fs/cgroup -path '*/leaving.service/cgroup.procs' -exec cat {} + | xargs kill");
  const resumed = await at.ok('rollout', 'resume');
  expect(resumed.stdout).toContain('have left');
  await at.ok('machine', 'uncordon', first);
});

real('machine rm drains the machine first', async () => {
  await startThere('web@7.service');
  const ran = await at.ok('machine', 'rm', '--min-healthy', '300ms', first);
  expect(ran.stdout).toMatch(/Unit web@7\.service moved from/);
  expect(ran.stdout).toContain('Removed machine');
  const row = (await rows()).find((one) => one.unit === 'web@7.service');
  expect(row?.active).toBe('active');
});
