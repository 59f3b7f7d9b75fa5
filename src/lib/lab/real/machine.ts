import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { cgroupDirs, cgroupPids, killCgroup, makeCgroups, removeCgroups } from './cgroup.ts';
import { authorize, ensureHostKey } from './keys.ts';
import { mountOverlay, unmountUnder } from './mounts.ts';
import { removeLink } from './net.ts';
import { type LabPaths, type MachinePaths, machinePaths } from './paths.ts';
import { quote, run, sleep, toolEnvironment } from './run.ts';
import { type LabMachine, type LabState, labMachine } from './state.ts';

/** The machine's PID 1 as seen from this computer; undefined = it is off. */
export function leaderPid(cgroup: string): number | undefined {
  return cgroupPids(cgroup).find((pid) => {
    try {
      const ids = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.split(/\s+/);
      return ids?.length === 2 && ids[1] === '1';
    } catch {
      return false;
    }
  });
}

/** Kills what is left of a machine and removes its mount, link and cgroup; its files stay. */
export async function clearMachine(lab: LabPaths, index: number): Promise<void> {
  const paths = machinePaths(lab, index);
  await killCgroup(paths.cgroup);
  await removeLink(paths.link);
  await unmountUnder(paths.merged);
  await removeCgroups(paths.cgroup);
}

/** Starts a machine that is off, whatever state its last run left behind; returns its known_hosts line. */
export async function startMachine(
  lab: LabPaths,
  state: LabState,
  index: number,
  report: (line: string) => void,
): Promise<string> {
  const paths = machinePaths(lab, index);
  await clearMachine(lab, index);
  for (const dir of [paths.upper, paths.work, paths.merged]) await mkdir(dir, { recursive: true });
  await mountOverlay(state.rootfs, paths.upper, paths.work, paths.merged);
  const line = await writeIdentity(lab, state, index, report);
  await makeCgroups(paths.cgroup);
  await writeFile(paths.script, keeperScript(lab, state, paths));
  await launch(paths);
  return line;
}

async function writeIdentity(
  lab: LabPaths,
  state: LabState,
  index: number,
  report: (line: string) => void,
): Promise<string> {
  const root = machinePaths(lab, index).merged;
  const machine = labMachine(lab, state, index);
  const hosts = state.machines.map((other) => labMachine(lab, state, other.index));
  await writeFile(join(root, 'etc/hostname'), `${machine.name}\n`);
  await writeFile(join(root, 'etc/machine-id'), `${machine.id}\n`);
  await writeFile(
    join(root, 'etc/hosts'),
    `127.0.0.1 localhost\n${hosts.map(({ address, name }) => `${address} ${name}\n`).join('')}`,
  );
  const network = ['[Match]', 'Name=host0', '[Network]', `Address=${machine.address}/24`];
  network.push(`Gateway=${state.subnet}.1`, 'LinkLocalAddressing=no', 'IgnoreCarrierLoss=yes');
  await mkdir(join(root, 'etc/systemd/network'), { recursive: true });
  await writeFile(join(root, 'etc/systemd/network/10-lab.network'), `${network.join('\n')}\n`);
  await authorize(lab, root);
  return ensureHostKey(root, machine, report);
}

/**
 * With --keep-unit nspawn ends with 133 when the machine reboots and expects a service manager to start it again: this
 * shell is that. It sits in a cgroup of its own beside the machine's, since on cgroup v2 a group with children holds no process.
 */
function keeperScript(lab: LabPaths, state: LabState, paths: MachinePaths): string {
  const index = Number(paths.cgroup.slice(paths.cgroup.lastIndexOf('.') + 1));
  const { id, name } = labMachine(lab, state, index);
  const nspawn = ['systemd-nspawn', '--quiet', '--boot', '--register=no', '--keep-unit', '--link-journal=no'];
  nspawn.push('-M', paths.nspawnName, `--hostname=${name}`, `--uuid=${id}`, '-D', paths.merged);
  nspawn.push(`--network-bridge=${lab.bridge}`, '--resolv-conf=off', '--timezone=off', '--console=read-only');
  if (state.docker) nspawn.push('--capability=all', '--system-call-filter=@keyring bpf @memlock');
  const dirs = cgroupDirs(paths.cgroup);
  const enter = (suffix: string): string =>
    dirs.map((dir) => `echo $$ > ${quote(`${dir}${suffix}/cgroup.procs`)}`).join(' && ');
  const inner = `${enter('')} && exec ${nspawn.map(quote).join(' ')}`;
  return `#!/bin/sh
${enter('/keeper')} || exit 1
while :; do
  ip link delete ${quote(paths.link)} 2>/dev/null
  find ${dirs.map(quote).join(' ')} -mindepth 1 -depth -type d ! -name keeper -exec rmdir {} + 2>/dev/null
  sh -c ${quote(inner)}
  [ $? -eq 133 ] || exit
done
`;
}

async function launch(paths: MachinePaths): Promise<void> {
  const log = await open(paths.console, 'w');
  try {
    const child = spawn('sh', [paths.script], {
      cwd: '/',
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: toolEnvironment(),
    });
    child.on('error', () => {});
    child.unref();
    await writeFile(paths.pidFile, `${child.pid ?? ''}\n`);
    // Until the shell is in its cgroup, `down` could not find it.
    for (let tries = 0; tries < 200 && cgroupPids(paths.cgroup).length === 0; tries++) await sleep(10);
  } finally {
    await log.close();
  }
}

/** Waits until a machine accepts logins and its systemd has finished booting. */
export async function waitReady(
  lab: LabPaths,
  machine: LabMachine,
  index: number,
  timeoutMs: number,
): Promise<void> {
  const paths = machinePaths(lab, index);
  const deadline = performance.now() + timeoutMs;
  let last = 'sshd does not answer';
  while (performance.now() < deadline) {
    if (cgroupPids(paths.cgroup).length === 0) {
      throw notReady(machine, `it ended while booting: ${consoleWords(paths)}`, paths);
    }
    if (await sshAnswers(machine.address, 500)) {
      const argv = [...labSshArgs(machine), 'systemctl is-system-running --wait'];
      const result = await run('ssh', argv, {
        timeoutMs: Math.ceil(Math.max(1000, deadline - performance.now())),
      });
      const words = result.stdout.trim();
      if (words === 'running' || words === 'degraded') return;
      last = words || result.stderr.trim() || `ssh ended with ${result.code}`;
    }
    await sleep(50);
  }
  throw notReady(machine, `not ready after ${Math.round(timeoutMs / 1000)} s: ${last}`, paths);
}

function notReady(machine: LabMachine, why: string, paths: MachinePaths): ClusterError {
  return new ClusterError('lab-machine-failed', `${machine.name}: ${why}`, {
    machine: machine.name,
    hint: `look at ${paths.console}, then run \`cluster lab up\` again`,
  });
}

function consoleWords(paths: MachinePaths): string {
  const lines = readFileSync(paths.console, 'utf8').split('\n');
  return lines.findLast((line) => line.trim() !== '')?.trim() ?? 'it said nothing';
}

/** Whether an SSH server answers there. */
export function sshAnswers(address: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: 22, noDelay: true });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.once('data', (chunk) => end(chunk.toString().startsWith('SSH-')));
  });
}

/** Arguments for OpenSSH's `ssh` that log in to a machine of a lab; append a command. */
export function labSshArgs(machine: LabMachine, user = machine.user): string[] {
  const options = ['StrictHostKeyChecking=yes', 'IdentitiesOnly=yes', 'BatchMode=yes', 'ConnectTimeout=10'];
  options.push(
    `UserKnownHostsFile=${machine.knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
    'LogLevel=ERROR',
  );
  const flags = options.flatMap((option) => ['-o', option]);
  return [
    '-F',
    'none',
    '-i',
    machine.identity,
    ...flags,
    '-p',
    String(machine.port),
    `${user}@${machine.address}`,
  ];
}
