import { existsSync } from 'node:fs';
import { ClusterError } from '../../error.ts';
import { needPrivate } from '../../private-directory.ts';
import { cgroupPids, cgroupsWithPrefix, killCgroup, removeCgroups } from './cgroup.ts';
import { authorize, ensureLabKey, trust } from './keys.ts';
import { withLock } from './lock.ts';
import { clearMachine, leaderPid, sshAnswers, startMachine, waitReady } from './machine.ts';
import { mountsUnder, removeTree } from './mounts.ts';
import { chooseSubnet, ensureBridge, removeLinks, setLink } from './net.ts';
import { cacheDir, cgroupPrefix, type LabPaths, labPaths, labRoot, machinePaths } from './paths.ts';
import { ensureTools } from './possible.ts';
import { ensureRootfs } from './rootfs.ts';
import { sleep } from './run.ts';
import * as states from './state.ts';
import { type LabMachine, type LabState, labMachine } from './state.ts';

export interface LabUpOptions {
  readonly name: string;
  readonly machines: number;
  readonly docker: boolean;
  readonly stateDir?: string;
  readonly onProgress: (line: string) => void;
}

export interface LabDownOptions {
  readonly name: string;
  readonly stateDir?: string;
  readonly onProgress: (line: string) => void;
}

export interface LabStatus {
  readonly name: string;
  readonly docker: boolean;
  readonly subnet: string;
  readonly machines: readonly (LabMachine & { readonly state: 'running' | 'unreachable' | 'off' })[];
}

const MOST_MACHINES = 200;
const READY_MS = 60_000;

/**
 * Makes a lab, or repairs the one of that name: starts machines that are off and adds missing ones, but never removes one.
 * Returns when root can log in to all machines and they have finished booting.
 */
export async function labUp(options: LabUpOptions): Promise<LabMachine[]> {
  const { name, machines, docker, stateDir, onProgress } = options;
  const lab = labPaths(name, stateDir);
  if (!Number.isInteger(machines) || machines < 1 || machines > MOST_MACHINES) {
    throw new ClusterError('lab-bad-count', `a lab has 1 to ${MOST_MACHINES} machines, not ${machines}`, {
      hint: 'real machines cost about 30 MB each; for thousands use `cluster lab up --hollow N`',
    });
  }
  await ensureTools(stateDir, onProgress);
  for (const directory of [labRoot(stateDir), cacheDir()]) await needPrivate(directory);
  return withLock(lab.lock, waiting(onProgress), async () => {
    const state = await prepare(lab, machines, docker, onProgress);
    await ensureBridge(lab, state.subnet);
    const freshKey = await ensureLabKey(lab, onProgress);
    const isOff = ({ index }: { index: number }) => leaderPid(machinePaths(lab, index).cgroup) === undefined;
    const off = state.machines.filter(isOff);
    const running = state.machines.filter((machine) => !off.includes(machine));
    if (freshKey)
      await Promise.all(running.map(({ index }) => authorize(lab, machinePaths(lab, index).merged)));
    if (off.length > 0) onProgress(`starting ${off.map(({ index }) => `${name}-${index}`).join(', ')}`);
    const lines = await Promise.all(off.map(({ index }) => startMachine(lab, state, index, onProgress)));
    for (const line of lines) await trust(lab, line);
    const found = state.machines.map(({ index }) => labMachine(lab, state, index));
    const wait = found.map((machine, i) => waitReady(lab, machine, i + 1, readyMs(state, found.length)));
    await allOrFirstError(wait);
    return found;
  });
}

/** Removes a lab and everything it left in the kernel and on disk; does nothing if there is none. */
export async function labDown({ name, stateDir, onProgress }: LabDownOptions): Promise<void> {
  const lab = labPaths(name, stateDir);
  if (process.platform !== 'linux') return;
  await withLock(lab.lock, waiting(onProgress), async () => {
    // By names, not by lab.json: a killed run may have broken that file.
    const cgroups = cgroupsWithPrefix(cgroupPrefix(name));
    if (cgroups.length > 0)
      onProgress(`stopping ${cgroups.length} machine${cgroups.length === 1 ? '' : 's'} of ${name}`);
    await Promise.all(cgroups.map((cgroup) => killCgroup(cgroup)));
    await removeLinks(lab);
    await Promise.all(cgroups.map((cgroup) => removeCgroups(cgroup)));
    await removeTree(lab.dir);
  });
}

/** The machines of one lab or of all labs. */
export async function labStatus(options: { name?: string; stateDir?: string } = {}): Promise<LabStatus[]> {
  const names = options.name === undefined ? states.labNames(options.stateDir) : [options.name];
  return Promise.all(
    names.map(async (name) => {
      const lab = labPaths(name, options.stateDir);
      const state = states.requireState(lab);
      const machines = state.machines.map(async ({ index }) => {
        const machine = labMachine(lab, state, index);
        if (leaderPid(machinePaths(lab, index).cgroup) === undefined)
          return { ...machine, state: 'off' as const };
        const answers = await sshAnswers(machine.address, 1000);
        return { ...machine, state: answers ? ('running' as const) : ('unreachable' as const) };
      });
      return { name, docker: state.docker, subnet: state.subnet, machines: await Promise.all(machines) };
    }),
  );
}

/** Reboots one machine as `systemctl reboot` does, and waits until it is back. */
export async function labReboot(name: string, machine: string | number, stateDir?: string): Promise<void> {
  const { lab, state, index } = find(name, machine, stateDir);
  const { cgroup } = machinePaths(lab, index);
  const before = leaderPid(cgroup);
  const target = labMachine(lab, state, index);
  if (before === undefined) {
    throw new ClusterError('lab-machine-off', `${target.name} is off`, {
      hint: 'start it with `cluster lab up`',
    });
  }
  // systemd's signal for reboot.target (SIGRTMIN+5) also works when the machine is cut off.
  process.kill(before, 39);
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const now = leaderPid(cgroup);
    if (now !== undefined && now !== before) break;
    if (performance.now() > deadline || cgroupPids(cgroup).length === 0) {
      throw new ClusterError('lab-machine-failed', `${target.name} did not come back from its reboot`, {
        hint: `look at ${machinePaths(lab, index).console}`,
      });
    }
    await sleep(50);
  }
  await waitReady(lab, target, index, readyMs(state, 1));
}

/** Cuts a machine's network: it keeps running and cannot be reached. */
export async function labCutOff(name: string, machine: string | number, stateDir?: string): Promise<void> {
  const { lab, index } = find(name, machine, stateDir);
  await setLink(machinePaths(lab, index).link, 'down');
}

/** Restores a machine's network. */
export async function labReconnect(name: string, machine: string | number, stateDir?: string): Promise<void> {
  const { lab, index } = find(name, machine, stateDir);
  await setLink(machinePaths(lab, index).link, 'up');
}

/** Crashes a machine: all its processes die at once. `labUp` starts it again with the same files. */
export async function labKill(name: string, machine: string | number, stateDir?: string): Promise<void> {
  const { lab, index } = find(name, machine, stateDir);
  await clearMachine(lab, index);
}

/** What is left of a lab, found by the names it uses; all empty after `labDown`. */
export function labLeftovers(
  name: string,
  stateDir?: string,
): { mounts: string[]; cgroups: string[]; pids: number[] } {
  const lab = labPaths(name, stateDir);
  const cgroups = cgroupsWithPrefix(cgroupPrefix(name));
  return { mounts: mountsUnder(lab.dir), cgroups, pids: cgroups.flatMap((cgroup) => cgroupPids(cgroup)) };
}

async function prepare(
  lab: LabPaths,
  machines: number,
  docker: boolean,
  onProgress: (line: string) => void,
): Promise<LabState> {
  const old = states.readState(lab);
  if (old !== undefined && docker && !old.docker) {
    throw new ClusterError('lab-different', `lab "${lab.name}" was made without Docker`, {
      hint: `give another --name, or remove it first: \`cluster lab down --name ${lab.name}\``,
    });
  }
  if (old !== undefined && !existsSync(old.rootfs)) {
    throw new ClusterError(
      'lab-rootfs-gone',
      `the root file system of lab "${lab.name}" is gone: ${old.rootfs}`,
      {
        hint: `remove the lab with \`cluster lab down --name ${lab.name}\` and make it again`,
      },
    );
  }
  if (old === undefined) refuseForeign(lab);
  else if (old.machines.length > machines)
    onProgress(`lab ${lab.name} has ${old.machines.length} machines and keeps them`);
  const rootfs = old?.rootfs ?? (await ensureRootfs(docker, onProgress));

  // Locked until lab.json is written, so that a lab that starts meanwhile sees the subnet as taken.
  return withLock(lab.subnetLock, waiting(onProgress, 'chooses a subnet'), async () => {
    const subnet = old?.subnet ?? (await chooseSubnet(lab, states.subnetsOfOthers(lab)));
    const base: LabState = old ?? { version: 1, name: lab.name, docker, subnet, rootfs, machines: [] };
    const state = states.withMachines(base, machines);
    await states.writeState(lab, state);
    return state;
  });
}

/** lab.json is written before anything starts, so running machines without one belong to a lab in another folder. */
function refuseForeign(lab: LabPaths): void {
  const running = cgroupsWithPrefix(cgroupPrefix(lab.name)).some((cgroup) => leaderPid(cgroup) !== undefined);
  if (!running) return;
  throw new ClusterError(
    'lab-name-taken',
    `a lab "${lab.name}" whose files are not in ${lab.root} is running`,
    {
      hint: 'give another --name, or remove that lab first',
    },
  );
}

function find(name: string, machine: string | number, stateDir?: string) {
  const lab = labPaths(name, stateDir);
  const state = states.requireState(lab);
  return { lab, state, index: states.machineIndex(lab, state, machine) };
}

function readyMs(state: LabState, count: number): number {
  return READY_MS + count * (state.docker ? 20_000 : 4_000);
}

function waiting(onProgress: (line: string) => void, what = 'works on the same lab'): (pid: number) => void {
  return (pid) => onProgress(`waiting for process ${pid}, which ${what}`);
}

async function allOrFirstError(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
