import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type LabMachine,
  labCutOff,
  labDown,
  labKill,
  labLeftovers,
  labPossible,
  labReboot,
  labReconnect,
  labSshArgs,
  labStatus,
  labUp,
} from '../../src/lib/lab/real/index.ts';

const name = 'labtest';
const quiet = (): void => {};
const up = (): Promise<LabMachine[]> => labUp({ name, machines: 2, docker: false, onProgress: quiet });
const down = (): Promise<void> => labDown({ name, onProgress: quiet });
const links = (): string[] =>
  (JSON.parse(execFileSync('ip', ['-json', 'link'], { encoding: 'utf8' })) as { ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((link) => link.includes(name));

function ssh(machine: LabMachine, command: string, user?: string): { code: number | null; out: string } {
  const result = spawnSync('ssh', [...labSshArgs(machine, user), command], { encoding: 'utf8' });
  return { code: result.status, out: result.stdout.trim() };
}

async function states(): Promise<string[]> {
  const [lab] = await labStatus({ name });
  return lab?.machines.map(({ state }) => state) ?? [];
}

const reason = labPossible();

describe.skipIf(reason !== null)(`real machines${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
  let machines: LabMachine[] = [];
  const first = (): LabMachine => machines[0] as LabMachine;

  beforeAll(async () => {
    await down();
    machines = await up();
  });
  afterAll(down);

  test('are two different ones that let root in with the keys that the lab wrote', () => {
    expect(machines.map((machine) => machine.name)).toEqual(['labtest-1', 'labtest-2']);
    for (const machine of machines) {
      const answer = ssh(machine, 'cat /etc/machine-id; hostname; ps -o comm= 1');
      expect(answer).toEqual({ code: 0, out: `${machine.id}\n${machine.name}\nsystemd` });
    }
    expect(new Set(machines.map(({ id }) => id)).size).toBe(2);
  });

  test('have a login with sudo and one without', () => {
    expect(ssh(first(), 'sudo -n id -u', 'admin')).toEqual({ code: 0, out: '0' });
    expect(ssh(first(), 'sudo -n id -u', 'nosudo').code).not.toBe(0);
  });

  test('each have a cgroup of their own', () => {
    expect(labLeftovers(name).cgroups.sort()).toEqual(['cluster-lab.labtest.1', 'cluster-lab.labtest.2']);
  });

  test('are the same after a second `up`, which is quick', async () => {
    const boot = ssh(first(), 'cat /proc/sys/kernel/random/boot_id').out;
    const started = Date.now();
    expect(await up()).toEqual(machines);
    expect(Date.now() - started).toBeLessThan(5000);
    expect(ssh(first(), 'cat /proc/sys/kernel/random/boot_id').out).toBe(boot);
  });

  test('reboot, keeping files, address and cgroup', async () => {
    const boot = ssh(first(), 'echo kept > /root/file; cat /proc/sys/kernel/random/boot_id').out;
    await labReboot(name, 1);
    const [after, file] = ssh(first(), 'cat /proc/sys/kernel/random/boot_id /root/file').out.split('\n');
    expect(after).not.toBe(boot);
    expect(file).toBe('kept');
    expect(labLeftovers(name).cgroups).toContain('cluster-lab.labtest.1');
  });

  test('can be cut off and reconnected', async () => {
    await labCutOff(name, 'labtest-2');
    expect(await states()).toEqual(['running', 'unreachable']);
    await labReconnect(name, 'labtest-2');
    await expect.poll(states, { timeout: 10_000 }).toEqual(['running', 'running']);
  });

  test('come back with `up` after a crash', async () => {
    await labKill(name, 1);
    expect(await states()).toEqual(['off', 'running']);
    expect(await up()).toEqual(machines);
    expect(ssh(first(), 'cat /root/file').out).toBe('kept');
  });

  test('come back when a run left mounts and bridge but no processes', async () => {
    for (const pid of labLeftovers(name).pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // died with its machine
      }
    }
    await expect.poll(() => labLeftovers(name).pids, { timeout: 10_000 }).toEqual([]);
    expect(labLeftovers(name).mounts).toHaveLength(2);
    expect(links()).toContain('cl-labtest0');
    expect(await up()).toEqual(machines);
  });

  test('leave nothing after `down`, which may be repeated', async () => {
    await down();
    await down();
    expect(labLeftovers(name)).toEqual({ mounts: [], cgroups: [], pids: [] });
    expect(links()).toEqual([]);
    expect(existsSync('/var/lib/cluster-lab/labtest')).toBe(false);
    expect(spawnSync('pgrep', ['-f', 'cluster-lab/labtest/']).status).toBe(1);
  });
});

test('a name that cannot be a host name is refused', async () => {
  await expect(labDown({ name: '../x', onProgress: quiet })).rejects.toMatchObject({ code: 'lab-bad-name' });
});
