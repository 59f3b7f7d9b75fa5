import { execFileSync } from 'node:child_process';
import { afterEach, expect } from 'vitest';
import { type LabMachine, labSshArgs } from '../../src/lib/lab/real/index.ts';
import { connectMachine, type Machine, type UnitChanges } from '../../src/lib/machine/index.ts';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { machinesOf, real, withRealLab } from '../support/real.ts';

const NAME = 'port';
const UNITS = Array.from({ length: 30 }, (_, index) => `one@${index + 1}.service`);
let at: Workplace;
let first: LabMachine;

withRealLab(NAME, ['--machines', '1'], async (place) => {
  at = place;
  first = (await machinesOf(at, NAME))[0] as LabMachine;
  await at.file('one@.service', '[Service]\nExecStart=/bin/sh -c "echo I am %i; exec sleep infinity"\n');
  await at.ok('start', `one@<1..${UNITS.length}>.service`);
});

let open: Machine[] = [];
afterEach(() => {
  for (const machine of open.splice(0)) machine.close();
  open = [];
});

async function connect(): Promise<Machine> {
  const { address, port, user, identity, knownHosts } = first;
  const ssh = { timeoutMs: 10_000, strictHostKeyChecking: 'yes', config: null } as const;
  const machine = await connectMachine({ address, port, user, identity, knownHosts }, ssh);
  open.push(machine);
  return machine;
}

real('status and journal of 30 units on an sshd with its own MaxSessions', async () => {
  const { stdout } = await at.ok('status', 'one@*', '--json');
  const reports = JSON.parse(stdout) as { unit: string; code: number; text: string }[];
  expect(reports.map(({ unit }) => unit).sort()).toEqual([...UNITS].sort());
  for (const { unit, code, text } of reports) {
    expect(code).toBe(0);
    expect(text.split('\n', 1)).toEqual([`● ${unit}`]);
    expect(text.match(/^ +Active: /gm)).toHaveLength(1);
  }
  const journal = (await at.ok('journal', 'one@*', '--lines', '5')).stdout;
  for (const [index, unit] of UNITS.entries()) expect(journal).toContain(` ${unit}: I am ${index + 1}\n`);
});

real('the text and the exit code of each unit are those of systemctl for it alone', async () => {
  const machine = await connect();
  const here = {
    'slow.service': 'Type=oneshot\nExecStart=/bin/sleep 60',
    'no.service': 'ExecStart=/bin/false',
  };
  for (const [unit, text] of Object.entries(here))
    await machine.exec(['sh', '-c', 'cat >"/run/systemd/system/$1"', 'put', unit], {
      stdin: `[Service]\n${text}\n`,
    });
  await machine.reload();
  await machine.start(['slow.service', 'no.service'], false);
  await eventually('no.service failed', async () => {
    const states = await machine.statuses(['slow.service', 'no.service']);
    return states.map(({ active }) => active).join() === 'activating,failed';
  });
  const units = [
    'slow.service',
    'sshd.service',
    'gone.service',
    'no.service',
    'basic.target',
    'one@1.service',
  ];
  const together = await machine.status(units);
  // Times go on, and the processes of sshd are those that ask.
  const quiet = (text: string): string =>
    text.replace(/; [^;\n]* ago$/gm, '').replace(/^ +(?:(?:Memory|CPU|Tasks): |[├└]─).*\n/gm, '');
  for (const [index, unit] of units.entries()) {
    const alone = await machine.exec(['systemctl', 'status', '--no-pager', '-l', unit]);
    const report = together[index]!;
    expect([unit, report.code]).toEqual([unit, alone.code]);
    expect(quiet(report.text)).toBe(quiet(alone.stdout + alone.stderr));
  }
  await machine.stop(['slow.service'], true);
});

real('a start of which 12 units fail says why', async () => {
  await at.file('bad@.service', '[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo no %i; exit 3"\n');
  const failed = await at.run('start', 'bad@<1..12>.service');
  expect(failed.stderr).toMatch(/failed on .*: exit status 3/);
  expect(failed.stderr).toContain('0 of 12 units launched, 12 failed');
  expect(failed.stderr).toMatch(/\bno \d+$/m);
  await at.ok('destroy', 'bad@*');
});

real('a watch hears what systemd does by itself, what others do to it, and a reload', async () => {
  const machine = await connect();
  const heard: UnitChanges[] = [];
  const stop = new AbortController();
  const units = ['one@1.service', 'one@2.service', 'made.service'];
  const ended = (async () => {
    for await (const changes of machine.watch({ units, signal: stop.signal })) heard.push(changes);
    return 'ended';
  })();
  const all = () => heard.flatMap(({ states }) => states);
  const latest = (unit: string) => all().findLast((state) => state.unit === unit);
  const ssh = (...words: string[]): string =>
    execFileSync('ssh', [...labSshArgs(first), ...words], { encoding: 'utf8' });

  await eventually('the first states', () => heard.length === 1);
  expect(heard[0]).toMatchObject({ initial: true, jobs: [], reloaded: false });
  expect(all().map(({ load, active }) => `${load} ${active}`)).toEqual([
    'loaded active',
    'loaded active',
    'not-found inactive',
  ]);

  ssh('systemctl', 'kill', '-s', 'KILL', 'one@1.service');
  await eventually('one@1 failed', () => latest('one@1.service')?.active === 'failed');
  ssh('systemctl', 'restart', 'one@1.service');
  await eventually('one@1 is active', () => latest('one@1.service')?.active === 'active');
  await eventually('its job', () => heard.some(({ jobs }) => jobs.some(({ result }) => result === 'done')));
  ssh('systemctl', 'stop', 'one@2.service');
  await eventually('one@2 is inactive', () => latest('one@2.service')?.active === 'inactive');

  ssh(
    `printf '[Service]\\nExecStart=/bin/sleep 1000\\n' >/run/systemd/system/made.service; systemctl daemon-reload`,
  );
  await eventually('the reload', () => heard.some(({ reloaded }) => reloaded));
  await eventually('made is loaded', () => latest('made.service')?.load === 'loaded');
  ssh('systemctl', 'start', 'made.service');
  await eventually('made is active', () => latest('made.service')?.active === 'active');
  ssh('systemctl stop made.service; rm /run/systemd/system/made.service; systemctl daemon-reload');
  await eventually('made is gone', () => latest('made.service')?.load === 'not-found');
  expect(latest('one@1.service')?.active).toBe('active');
  stop.abort();
  expect(await ended).toBe('ended');
  await at.ok('start', 'one@2.service');
});

real(
  'a watch of everything ends with an error when the machine goes',
  async () => {
    const machine = await connect();
    let count = 0;
    const ended = (async () => {
      for await (const { initial, states } of machine.watch()) if (initial) count = states.length;
    })().catch((error: unknown) => error);
    await eventually('the first states', () => count > 20);
    // A login shell may stand between the command and the sshd process of this connection.
    const ancestor =
      'p=$$; until grep -q sshd /proc/$p/comm; do p=$(sed -n "s/^PPid:.//p" /proc/$p/status); done';
    const { stdout: sshd } = await machine.exec(['sh', '-c', `${ancestor}; echo $p`]);
    execFileSync('ssh', [...labSshArgs(first), 'kill', sshd.trim()]);
    expect(await ended).toMatchObject({ code: 'machine-unreachable' });
  },
  60_000,
);
