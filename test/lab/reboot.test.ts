import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { at, during, type Machine, machines, NAME, ok, on, reason, withTalk } from './support/talk.ts';

interface Item {
  readonly machine: string;
  readonly state: string;
  readonly well?: readonly string[];
  readonly packages?: readonly unknown[];
}
interface Shown {
  readonly state: string;
  readonly items: readonly Item[];
}

const boots = (): Promise<string[]> =>
  Promise.all(
    machines.map(async (machine) => (await on(machine, 'cat /proc/sys/kernel/random/boot_id')).trim()),
  );
const shown = async (): Promise<Shown> => JSON.parse(await ok('rollout', 'show', '--json')) as Shown;
const locks = async (): Promise<{ lock: string; machine: string }[]> =>
  JSON.parse(await ok('lock', 'ls', '--json')) as { lock: string; machine: string }[];

/** The fewest etcd members that answered at the same time, looked at again and again until `over`. */
async function fewestMembers(over: Promise<unknown>): Promise<number> {
  let fewest = machines.length;
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const answers = await Promise.all(
      machines.map(({ address }) =>
        fetch(`http://${address}:2379/health`, { signal: AbortSignal.timeout(1500) }).then(
          () => true,
          () => false,
        ),
      ),
    );
    fewest = Math.min(fewest, answers.filter(Boolean).length);
    await sleep(100);
  }
  return fewest;
}

describe.skipIf(reason !== null)(`rolling reboots${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  withTalk();

  test('three machines with etcd members and gateways reboot one after another, and the quorum stays', async () => {
    const before = await boots();
    const plan = await ok('machine', 'reboot', '--rolling', '--max-unavailable', '3', '--dry-run');
    expect(plan.match(/^\d/gm)).toEqual(['1', '2', '3']);
    expect(plan.match(/gateway; etcd member/g)).toHaveLength(3);

    let fewest = 0;
    const report = await during(async () => {
      const ran = ok('machine', 'reboot', '--rolling', '--min-healthy', '2s', '--max-unavailable', '3');
      fewest = await fewestMembers(ran);
      await ran;
    });
    process.stderr.write(
      `rolling reboot under load: ${report.sent} sent, ${report.failed} failed (${report.reasons.join('; ')})\n`,
    );
    expect(fewest).toBeGreaterThanOrEqual(2);
    const after = await boots();
    expect(after.every((boot, index) => boot !== before[index])).toBe(true);
    const { state, items } = await shown();
    expect(state).toBe('done');
    for (const { well } of items)
      expect(well).toEqual(expect.arrayContaining(['the etcd member', 'the gateway']));
    expect(await locks()).toEqual([]);
  }, 400_000);

  test('a driver that is killed leaves a reboot that another one ends', async () => {
    const before = await boots();
    const running = at.start(
      'machine',
      'reboot',
      '--rolling',
      '--min-healthy',
      '1s',
      machines[0]!.id,
      machines[1]!.id,
    );
    await eventually('it is under way', () => running.log().includes('is being changed'), 30_000);
    await sleep(1500);
    running.child.kill('SIGKILL');
    await running.ended;
    expect((await locks()).map(({ lock }) => lock).sort()).toEqual(['etcd', 'gateway', 'machines']);
    await ok('rollout', 'resume');
    const after = await boots();
    expect(after.map((boot, index) => boot === before[index])).toEqual([false, false, true]);
    expect(await locks()).toEqual([]);
  }, 400_000);

  test('one that does not return halts the rest and keeps its slot; once it is back, resume goes on', async () => {
    const before = await boots();
    for (const machine of machines) await on(machine, STAY_OFF);
    const ran = await at.run('machine', 'reboot', '--rolling', '--min-healthy', '1s', '--deadline', '30s');
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/is halted: machine [0-9a-f]{8} did not come back within 30 s/);
    const { items } = await shown();
    const gone = machines.find(({ id }) => id === items[0]!.machine) as Machine;
    expect(items.map(({ state }) => state)).toEqual(['failed', 'waiting', 'waiting']);
    expect(new Set((await locks()).map(({ machine }) => machine))).toEqual(new Set([gone.id]));

    const others = machines.filter(({ id }) => id !== gone.id);
    const second = await at.run('machine', 'reboot', others[0]!.id);
    expect(second).toMatchObject({ code: 6 });
    expect(second.stderr).toContain('lock machines has no free slot');

    for (const machine of others) await on(machine, 'rm -f /etc/systemd/system/reboot.target');
    await at.ok('lab', 'up', '--machines', '3', '--name', NAME);
    await on(gone, 'rm -f /etc/systemd/system/reboot.target');
    await ok('rollout', 'resume');
    expect((await shown()).state).toBe('done');
    const after = await boots();
    expect(after.every((boot, index) => boot !== before[index])).toBe(true);
    expect(await locks()).toEqual([]);
  }, 600_000);

  test('an update by apt outlives its driver, and both versions are kept', async () => {
    const machine = machines[1] as Machine;
    await on(machine, REPOSITORY);
    const running = at.start('machine', 'update', machine.id, '--min-healthy', '0');
    await eventually('apt runs', async () => {
      const state = await at.run('ssh', machine.address, '--', 'systemctl is-active cluster-update.service');
      return state.stdout.trim() === 'active';
    });
    running.child.kill('SIGKILL');
    await running.ended;
    await ok('rollout', 'resume');
    const { items } = await shown();
    expect(items[0]).toMatchObject({
      state: 'healthy',
      packages: [{ name: 'lab-package:all', from: '1', to: '2' }],
    });
    expect(await on(machine, 'cat /run/configured')).toBe('2\n');
  }, 120_000);

  test('a change that cuts everybody off undoes itself, and one that does not is kept', async () => {
    const [machine] = machines as [Machine];
    const kept = ['--confirm-or-undo', '10s', '--undo', 'touch /run/undone'];
    await ok('machine', 'exec', machine.id, ...kept, '--', 'touch /run/changed');
    const cut = await at.run(
      'machine',
      'exec',
      machine.id,
      '--confirm-or-undo',
      '8s',
      '--undo',
      'systemctl start ssh',
      '--',
      'systemctl stop ssh',
    );
    expect(cut).toMatchObject({ code: 1 });
    expect(cut.stderr).toContain('it was undone there');
    expect(await on(machine, 'ls /run/changed /run/undone 2>/dev/null || true')).toBe('/run/changed\n');
  }, 120_000);
});

/** What a broken machine does: it goes down, and stays there. */
const STAY_OFF = 'ln -sf /lib/systemd/system/poweroff.target /etc/systemd/system/reboot.target';

/** Version 1 of a package is installed, a repository on the machine has version 2, which takes three seconds. */
const REPOSITORY = `set -e
mkdir -p /srv/repo/b/DEBIAN && cd /srv/repo
make() {
  printf 'Package: lab-package\\nVersion: %s\\nArchitecture: all\\nMaintainer: Lab <lab@example.test>\\nDescription: lab\\n' $1 >b/DEBIAN/control
  printf '#!/bin/sh\\nsleep %s\\necho %s >>/run/configured\\n' $2 $1 >b/DEBIAN/postinst
  chmod 755 b/DEBIAN/postinst && dpkg-deb -b b p$1.deb >/dev/null
}
make 1 0 && dpkg -i p1.deb >/dev/null && rm -f /run/configured
make 2 3
{ cat b/DEBIAN/control; echo "Filename: ./p2.deb"; echo "Size: $(stat -c %s p2.deb)"; echo "SHA256: $(sha256sum p2.deb | cut -d ' ' -f 1)"; } >Packages
rm -rf /etc/apt/sources.list.d/* && echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list`;
