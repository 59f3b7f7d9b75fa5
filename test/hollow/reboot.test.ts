import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import { HOLLOW_PACKAGES } from '../../src/lib/lab/hollow/reboot-scripts.ts';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';

let dir: string;
let lab: HollowLab;
let at: Workplace;

const QUICK = ['--min-healthy', '0'];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-reboot-'));
  lab = await hollowUp({ machines: 3, stateDir: dir, name: 'reboot' });
  at = await workplaceWith(lab, { CLUSTER_SSH_TIMEOUT: '2', TZ: 'UTC' });
});

afterEach(async () => {
  await lab.close();
  await at.remove();
  await rm(dir, { recursive: true, force: true });
});

interface Shown {
  readonly state: string;
  readonly reason?: string;
  readonly items: readonly {
    readonly machine: string;
    readonly state: string;
    readonly well?: readonly string[];
    readonly packages?: readonly unknown[];
    readonly rebootNeeded?: string;
  }[];
}

const shown = async (): Promise<Shown> =>
  JSON.parse((await at.ok('rollout', 'show', '--json')).stdout) as Shown;
const states = ({ items }: Shown): string => items.map(({ state }) => state).join(' ');
const locks = async (): Promise<{ lock: string; machine: string; rollout: string }[]> =>
  JSON.parse((await at.ok('lock', 'ls', '--json')).stdout) as {
    lock: string;
    machine: string;
    rollout: string;
  }[];
/** In the order in which a rollout without groups takes them. */
const ordered = () => [...lab.simulations].sort((a, b) => (a.id < b.id ? -1 : 1));
const boots = (): string[] => ordered().map(({ bootId }) => bootId);
/** From its next reboot on, a simulated machine takes connections and says nothing. */
const staysAway = (index: number): void => {
  const machine = ordered()[index]!;
  machine.onReboot(() => {
    machine.faults.hang = true;
  });
};

describe('simulated reboots', () => {
  test('one machine after another, in the order of the dry run; units start again and are waited for', async () => {
    await at.file('web@.service', '[Service]\nExecStart=/bin/sleep infinity\n');
    await at.ok('start', ...QUICK, 'web@<1..3>.service');
    const plan = await at.ok('machine', 'reboot', '--rolling', '--dry-run');
    expect(plan.stdout.match(/^\d +\S+/gm)).toEqual(
      ordered().map(({ id }, index) => `${index + 1}      ${id.slice(0, 8)}.../127.0.0.1`),
    );
    const before = boots();
    const ran = await at.ok('machine', 'reboot', '--rolling', ...QUICK);
    expect(ran.stdout).toContain('Rollout 1 done: 3 of 3 machines healthy');
    expect(boots().filter((boot) => before.includes(boot))).toEqual([]);
    const { items } = await shown();
    expect(items.flatMap(({ well = [] }) => well).sort()).toEqual([
      'web@1.service',
      'web@2.service',
      'web@3.service',
    ]);
    expect(
      (await at.ok('list-units', '--fields', 'active', '--no-legend')).stdout.match(/^active$/gm),
    ).toHaveLength(3);
    expect(await locks()).toEqual([]);
  });

  test('--if-needed leaves out the others, and says so', async () => {
    ordered()[1]!.tree.write('/run/reboot-required', Buffer.from(''));
    const before = boots();
    const plan = await at.ok('machine', 'reboot', '--rolling', '--if-needed', '--dry-run', '--json');
    const { batches, notes } = JSON.parse(plan.stdout) as { batches: { why: string }[][]; notes: string[] };
    expect(batches.map((batch) => batch.map(({ why }) => why))).toEqual([['/run/reboot-required is there']]);
    expect(notes.filter((note) => note.includes('needs no reboot'))).toHaveLength(2);
    await at.ok('machine', 'reboot', '--rolling', '--if-needed', ...QUICK);
    expect(boots().map((boot, index) => boot === before[index])).toEqual([true, false, true]);
    const again = await at.ok('machine', 'reboot', '--rolling', '--if-needed');
    expect(again.stdout).not.toContain('Rollout');
  });

  test('one that does not come back halts the rest, keeps its slot, and gives it back once it is well', async () => {
    staysAway(0);
    const ran = await at.run('machine', 'reboot', '--rolling', '--deadline', '4s', ...QUICK);
    expect(ran.code).toBe(1);
    const [gone, other] = ordered();
    expect(ran.stderr).toContain(
      `rollout 1 is halted: machine ${gone!.id.slice(0, 8)} did not come back within 4 s`,
    );
    expect(states(await shown())).toBe('failed waiting waiting');
    expect(await locks()).toMatchObject([{ lock: 'machines', machine: gone!.id, rollout: '1' }]);

    const second = await at.run('machine', 'reboot', other!.id, ...QUICK);
    expect(second).toMatchObject({ code: 6 });
    expect(second.stderr).toContain(
      `lock machines has no free slot: machine ${gone!.id.slice(0, 8)} holds one for rollout 1`,
    );

    gone!.faults.hang = false;
    await at.ok('machine', 'reboot', other!.id, ...QUICK);
    expect(await locks()).toEqual([]);
  });

  test('a person frees a slot, and so does machine rm', async () => {
    staysAway(0);
    const [gone] = ordered();
    for (const free of [
      ['lock', 'rm', 'machines', gone!.id.slice(0, 6)],
      ['machine', 'rm', '--force', gone!.id],
    ]) {
      gone!.faults.hang = false;
      await at.run('machine', 'reboot', gone!.id, '--deadline', '3s', ...QUICK);
      expect(await locks()).toHaveLength(1);
      await at.ok(...free);
      expect(await locks()).toEqual([]);
    }
    const none = await at.run('lock', 'rm', 'machines', ordered()[1]!.id);
    expect(none.stderr).toContain('holds no slot of lock "machines"');
  });

  test('resume goes on with the rest, and does not reboot again what came back late', async () => {
    staysAway(0);
    await at.run('machine', 'reboot', '--rolling', '--deadline', '4s', ...QUICK);
    const late = boots()[0];
    ordered()[0]!.faults.hang = false;
    await at.ok('rollout', 'resume');
    expect(boots()[0]).toBe(late);
    expect(states(await shown())).toBe('healthy healthy healthy');
    expect(await locks()).toEqual([]);
  });

  test('a driver that is killed leaves its slot; whoever resumes ends it', async () => {
    const running = at.start('machine', 'reboot', '--rolling', '--min-healthy', '3s');
    await eventually('it is under way', () => running.log().includes('is being changed'), 20_000);
    running.child.kill('SIGKILL');
    await running.ended;
    expect(await locks()).toHaveLength(1);
    const second = await at.run('machine', 'reboot', ordered()[2]!.id);
    expect(second).toMatchObject({ code: 6 });
    expect(second.stderr).toMatch(/belongs to rollout 1 of .*nothing was changed/);
    await at.ok('rollout', 'resume');
    expect(states(await shown())).toBe('healthy healthy healthy');
    expect(await locks()).toEqual([]);
  });

  test('groups one after another, each with a lock of its own', async () => {
    const [a, b, c] = ordered();
    for (const [machine, rack] of [
      [a, 'two'],
      [b, 'one'],
      [c, 'two'],
    ] as const)
      await at.ok('machine', 'set-metadata', machine!.id, `rack=${rack}`);
    const plan = await at.ok(
      'machine',
      'reboot',
      '--rolling',
      '--group',
      'rack',
      '--max-unavailable',
      '2',
      '--dry-run',
    );
    expect(plan.stdout.match(/^\d|rack=\w+/gm)).toEqual(['1', 'rack=one', '2', 'rack=two', '2', 'rack=two']);
    const typo = await at.run('machine', 'reboot', '--rolling', '--group', 'rak');
    expect(typo).toMatchObject({ code: 64 });
    expect(typo.stderr).toContain('did you mean rack?');
  });

  test('outside of its windows nothing begins, and it says what it waits for', async () => {
    const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][(new Date().getUTCDay() + 3) % 7];
    const window = `${day} 12:00 1h`;
    const before = boots();
    const plan = await at.ok('machine', 'reboot', '--rolling', '--window', window, '--dry-run');
    expect(plan.stdout).toMatch(/Note: nothing would be begun now: window \w+ 12:00 1h UTC opens at \d{4}-/);
    const running = at.start('machine', 'reboot', '--rolling', '--window', window);
    await eventually('it waits', () => running.log().includes('opens at'), 20_000);
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(130);
    expect(boots()).toEqual(before);
    expect((await shown()).state).toBe('running');
    await at.ok('rollout', 'abort');
  });

  test('bad input changes nothing and says why', async () => {
    const before = boots();
    const [first, ...rest] = ordered();
    first!.faults.hang = true;
    const away = await at.run('machine', 'reboot', '--rolling');
    expect(away).toMatchObject({ code: 4 });
    expect(away.stderr).toContain('nothing was changed');
    first!.faults.hang = false;
    for (const [args, code, what] of [
      [[], 64, 'No machine given'],
      [['--rolling', '--window', 'Thu 23:00 0m'], 64, 'never opens'],
      [['--rolling', '--window', 'Thu 23:00 1h', '--time-zone', 'Mars/Base'], 64, 'names no time zone'],
      [['--rolling', '--max-unavailable', '0'], 64, 'lets no unit be changed'],
      [['nobody'], 1, 'no machine nobody'],
      [['--rolling', '--group', 'rack'], 64, 'none of these machines has metadata "rack"'],
    ] as const) {
      const ran = await at.run('machine', 'reboot', ...args);
      expect(ran, ran.stderr).toMatchObject({ code });
      expect(ran.stderr).toContain(what);
    }
    expect(boots()).toEqual(before);
    expect(rest).toHaveLength(2);
    expect(JSON.parse((await at.ok('rollout', 'ls', '--json')).stdout)).toEqual([]);
  });
});

describe('simulated updates', () => {
  const install = (index: number, newer: string | null): void => {
    const { tree } = ordered()[index]!;
    tree.write(HOLLOW_PACKAGES.installed, Buffer.from('bash:amd64 5.1\nnginx:amd64 1.0\n'));
    if (newer !== null) tree.write(HOLLOW_PACKAGES.newer, Buffer.from(newer));
  };

  test('versions before and after are kept, and machines that need a reboot get it', async () => {
    for (const index of [0, 1, 2]) install(index, index === 1 ? '' : 'nginx:amd64 1.1\n');
    ordered()[0]!.tree.write('/run/reboot-required', Buffer.from(''));
    ordered()[2]!.tree.write('/run/reboot-required', Buffer.from(''));
    const before = boots();
    await at.ok('machine', 'update', ordered()[2]!.id, ...QUICK);
    expect((await shown()).items[0]).toMatchObject({
      packages: [{ name: 'nginx:amd64', from: '1.0', to: '1.1' }],
      rebootNeeded: '/run/reboot-required is there',
    });
    expect((await at.ok('rollout', 'show')).stdout).toMatch(/nginx:amd64 +1\.0 +1\.1/);
    await at.ok('machine', 'update', '--rolling', '--reboot-if-needed', ...QUICK);
    const { items } = await shown();
    expect(items.map(({ packages }) => packages?.length)).toEqual([1, 0, 0]);
    expect(boots().map((boot, index) => boot === before[index])).toEqual([false, true, false]);
  });

  test('an update that fails halts the rest with its exit status', async () => {
    for (const index of [0, 1, 2]) install(index, index === 0 ? null : '');
    const ran = await at.run('machine', 'update', '--rolling', ...QUICK);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('ended its update with exit status 100');
    expect(states(await shown())).toBe('failed waiting waiting');
    ordered()[0]!.tree.write(HOLLOW_PACKAGES.newer, Buffer.from(''));
    await at.ok('rollout', 'resume');
    expect(states(await shown())).toBe('healthy healthy healthy');
  });
});

describe('a change that is undone by the simulated machine', () => {
  const exec = (...args: string[]) =>
    at.run(
      'machine',
      'exec',
      lab.simulations[0]!.id,
      '--confirm-or-undo',
      '6s',
      '--undo',
      'echo back',
      '--',
      ...args,
    );

  test('unless a login works after it', async () => {
    expect(await exec('true')).toMatchObject({ code: 0 });
    expect(await exec('exit', '3')).toMatchObject({ code: 3 });
    expect(lab.simulations[0]!.undone).toEqual([]);
  });

  test('when nobody can log in any more', async () => {
    const machine = lab.simulations[0]!;
    machine.faults.slowMs = 300;
    const running = exec('true');
    await eventually(
      'it is armed',
      () => machine.requests.some((one) => one.includes('/run/cluster')),
      20_000,
    );
    machine.faults.refuseAuth = true;
    const ran = await running;
    expect(ran, ran.stderr).toMatchObject({ code: 1 });
    expect(ran.stderr).toContain('nobody could log in to 127.0.0.1 after the command: it was undone there');
    expect(machine.undone).toEqual(['echo back\n']);
  });

  test('flags that say half are refused', async () => {
    const machine = lab.simulations[0]!.id;
    for (const flags of [
      ['--undo', 'x'],
      ['--confirm-or-undo', '2min'],
      ['--confirm-or-undo', '1s', '--undo', 'x'],
    ]) {
      const ran = await at.run('machine', 'exec', machine, ...flags, '--', 'true');
      expect(ran).toMatchObject({ code: 64 });
      expect(ran.stderr).toContain('nothing was changed');
    }
    expect(await at.run('machine', 'exec', machine)).toMatchObject({ code: 64 });
  });
});
