import { expect } from 'vitest';
import { type Workplace, workplace } from '../support/cli.ts';
import { real, withRealLab } from '../support/real.ts';

const NAME = 'units';
let at: Workplace;

interface Row {
  unit: string;
  active: string;
  sub: string;
  machine: { id: string; address: string };
}

async function units(): Promise<Row[]> {
  return JSON.parse((await at.run('list-units', '--json')).stdout) as Row[];
}

withRealLab(NAME, ['--machines', '3'], async (made) => {
  at = made;
  await at.file(
    'demo@.service',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the unit's own variable
    '[Service]\nEnvironment=CONTAINER=demo\nExecStart=/bin/sleep infinity\nRestart=always\nRestartSec=100ms\n[X-Fleet]\nConflicts=${CONTAINER}@*.service\n',
  );
  await at.file(
    'side@.service',
    '[Unit]\nBindsTo=demo@%i.service\nAfter=demo@%i.service\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=demo@%i.service\n[X-Fleet]\nMachineOf=demo@%i.service\n',
  );
  await at.file('all.service', '[Service]\nExecStart=/bin/sleep infinity\n[X-Fleet]\nGlobal=true\n');
  await at.file('fails.service', '[Service]\nExecStart=/bin/sh -c "echo this is why; exit 3"\n');
  await at.file('once.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
  await at.file(
    'tick.timer',
    '[Timer]\nOnActiveSec=1h\nUnit=once.service\n[X-Fleet]\nMachineOf=once.service\n',
  );
  await at.file('gate.socket', '[Socket]\nListenStream=/run/gate.sock\n[X-Fleet]\nMachineOf=gate.service\n');
  await at.file('gate.service', '[Service]\nExecStart=/bin/sleep infinity\n');
  await at.file('room.mount', '[Mount]\nWhat=tmpfs\nWhere=/room\nType=tmpfs\n');
  await at.file('goal.target', '[Unit]\nDescription=a goal\n');
  await at.file(
    'door.path',
    '[Path]\nPathExists=/nonexistent\nUnit=once.service\n[X-Fleet]\nMachineOf=once.service\n',
  );
});

real('units run by the rules of [X-Fleet] on real machines', async () => {
  await at.ok('start', 'all.service', 'demo@<1..3>.service', 'side@1.service');
  const rows = await units();
  const of = (unit: string) => rows.filter((row) => row.unit === unit);
  expect(rows.every(({ active, sub }) => active === 'active' && sub === 'running')).toBe(true);
  expect(of('all.service')).toHaveLength(3);
  expect(
    new Set(['demo@1.service', 'demo@2.service', 'demo@3.service'].map((unit) => of(unit)[0]?.machine.id))
      .size,
  ).toBe(3);
  expect(of('side@1.service')[0]?.machine.id).toBe(of('demo@1.service')[0]?.machine.id);
  expect((await at.run('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');
});

real('a killed process comes back by systemd', async () => {
  const pid = async () =>
    (
      await at.ok(
        'ssh',
        'demo@1.service',
        '--',
        'systemctl',
        'show',
        '-p',
        'MainPID',
        '--value',
        'demo@1.service',
      )
    ).stdout.trim();
  const before = await pid();
  await at.ok('ssh', 'demo@1.service', '--', 'kill', '-9', before);
  await expect
    .poll(
      async () => {
        const now = await pid();
        return now !== '0' && now !== before;
      },
      { timeout: 10_000 },
    )
    .toBe(true);
});

real('a failed start says how it ended and what it printed', async () => {
  const ran = await at.run('start', 'fails.service');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/exit status 3/);
  expect(ran.stderr).toMatch(/this is why/);
  await at.ok('destroy', 'fails.service');
});

real('a start joins one that is under way, and is not content with a unit between two crashes', async () => {
  await at.file('long.service', '[Service]\nType=oneshot\nExecStart=/bin/sleep 2\n');
  await at.ok('start', '--no-block', 'long.service');
  expect((await at.ok('start', 'long.service')).stdout).toMatch(/^Unit long\.service launched on /);
  expect((await units()).find(({ unit }) => unit === 'long.service')?.active).toBe('inactive');
  await at.file('flaps.service', '[Service]\nExecStart=/bin/sh -c "exit 4"\nRestart=always\nRestartSec=60\n');
  for (const _ of ['first', 'again']) {
    const ran = await at.run('start', 'flaps.service');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/flaps\.service failed on .*exit status 4/);
  }
  await at.ok('destroy', 'long.service', 'flaps.service');
});

real('oneshots, timers, sockets, paths, mounts and targets start', async () => {
  const alone = await at.run('start', 'gate.socket');
  expect(alone.stderr).toMatch(/machine-of: MachineOf=gate\.service, which does not exist/);
  await at.file('lonely.socket', '[Socket]\nListenStream=/run/lonely.sock\n');
  const lonely = await at.run('start', 'lonely.socket');
  expect(lonely.stderr).toMatch(/lonely\.service, which it starts, is not on this machine/);
  await at.ok('destroy', 'lonely.socket');
  await at.ok('load', 'gate.service');
  await at.ok('start', 'once.service', 'tick.timer', 'gate.socket', 'room.mount', 'goal.target', 'door.path');
  const rows = await units();
  const active = (unit: string) => rows.find((row) => row.unit === unit)?.active;
  expect(['tick.timer', 'gate.socket', 'room.mount', 'goal.target', 'door.path'].map(active)).toEqual(
    Array(5).fill('active'),
  );
  expect((await at.run('reconcile', '--dry-run')).stdout).toBe('Nothing to do.\n');
  expect((await at.run('plan')).stdout).toBe('Nothing to do.\n');
  await at.ok(
    'destroy',
    'once.service',
    'tick.timer',
    'gate.service',
    'gate.socket',
    'room.mount',
    'goal.target',
    'door.path',
  );
});

real('status, journal and ssh work, exit codes are passed on', async () => {
  expect((await at.ok('status', 'demo@2')).stdout).toMatch(/Active: active/);
  expect((await at.ok('journal', 'demo@2')).stdout).toMatch(/demo@2\.service/);
  expect((await at.ok('ssh', 'demo@2', 'printf "a\\nb\\n" | wc -l')).stdout.trim()).toBe('2');
  expect((await at.ok('ssh', 'demo@2', 'ls', '-la', '/etc/cluster')).stdout).toMatch(/^total /);
  expect((await at.run('ssh', 'demo@2', '--', 'exit 7')).code).toBe(7);
  expect((await at.ok('cat', '--render', 'demo@2')).stdout).not.toContain('%i');
});

real('verify refuses what systemd would not load, and only warns of the rest', async () => {
  await at.file('hollowed.service', '[Unit]\nDescription=nothing to run\n');
  await at.file('unknown.service', '[Service]\nExecStart=/bin/true\nFoo=bar\n');
  expect((await at.ok('verify', 'unknown.service')).stderr).toContain("Unknown key 'Foo'");
  const ran = await at.run('verify', 'unknown.service', 'hollowed.service');
  expect(ran.code).toBe(1);
  expect(ran.stdout).toMatch(/^unknown\.service: ok \([0-9a-f]+\)\n$/);
  expect(ran.stderr).toMatch(
    /^Error: hollowed\.service: systemd would not load it: Service has no ExecStart=/m,
  );
});

real('a unit that cluster did not install is neither overwritten nor stopped', async () => {
  await at.file('systemd-journald.service', '[Service]\nExecStart=/bin/true\n');
  const ran = await at.run('start', 'systemd-journald.service');
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/not installed by cluster/);
  await at.run('destroy', 'systemd-journald.service');
  expect(
    (await at.ok('ssh', 'demo@1.service', '--', 'systemctl', 'is-active', 'systemd-journald.service')).stdout,
  ).toBe('active\n');
});

real('a login with sudo does as well, one without is refused', async () => {
  const [row] = await units();
  const { identity, knownHosts } = (
    JSON.parse((await at.ok('lab', 'status', '--json', '--name', NAME)).stdout) as {
      identity: string;
      knownHosts: string;
    }[]
  )[0] ?? { identity: '', knownHosts: '' };
  const other = await workplace({ CLUSTER_SSH_IDENTITY: identity, CLUSTER_KNOWN_HOSTS_FILE: knownHosts });
  const there = (command: string) => at.ok('ssh', row?.machine.id ?? '', command);
  await there('mv /etc/cluster/cluster /root/owner');
  try {
    expect(await other.run('machine', 'add', `admin@${row?.machine.address}`)).toMatchObject({ code: 0 });
    await other.file('mine.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    const started = await other.run('start', 'mine.service');
    expect(started, started.stderr).toMatchObject({ code: 0 });
    expect(await other.run('destroy', 'mine.service')).toMatchObject({ code: 0 });
    const refused = await other.run('machine', 'add', `nosudo@${row?.machine.address}`);
    expect(refused.stderr).toMatch(/sudo/);
    expect(refused.code).toBe(4);
  } finally {
    await there('mv /root/owner /etc/cluster/cluster');
    await other.remove();
  }
});

real('a machine that reboots starts its launched units by itself', async () => {
  const { labReboot } = await import('../../src/lib/lab/real/index.ts');
  const row = (await units()).find(({ unit }) => unit === 'demo@3.service');
  const machines = JSON.parse((await at.ok('lab', 'status', '--json', '--name', NAME)).stdout) as {
    id: string;
    name: string;
  }[];
  const machine = machines.find(({ id }) => id === row?.machine.id)?.name ?? '';
  await labReboot(NAME, machine);
  await expect
    .poll(
      async () =>
        (await units())
          .filter(({ machine: { id } }) => id === row?.machine.id)
          .every(({ active }) => active === 'active'),
      { timeout: 60_000, interval: 500 },
    )
    .toBe(true);
});

real('destroy leaves nothing on the machines', async () => {
  await at.ok('destroy', 'all.service', 'demo@*', 'side@1');
  for (const n of [1, 2, 3])
    expect(
      (
        await at.ok(
          'lab',
          'ssh',
          '--name',
          NAME,
          `${NAME}-${n}`,
          '--',
          'ls /etc/cluster/units /etc/systemd/system/cluster.target.wants',
        )
      ).stdout.replace(/^\/.*\n|\n/gm, ''),
    ).toBe('');
});
