import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from './run.ts';

const MOUNT = '/sys/fs/cgroup';

/** The hierarchies in which a machine needs a cgroup of its own; empty = this computer has none that systemd can use. */
export function cgroupRoots(): string[] {
  if (existsSync(join(MOUNT, 'cgroup.controllers'))) return [MOUNT];
  return ['systemd', 'unified']
    .map((name) => join(MOUNT, name))
    .filter((dir) => existsSync(join(dir, 'cgroup.procs')));
}

/** The folders of a machine's cgroup, one in each hierarchy. */
export function cgroupDirs(cgroup: string): string[] {
  return cgroupRoots().map((root) => join(root, cgroup));
}

/** Makes a machine's cgroups and, beside what will be inside, one for the shell that looks after it. */
export async function makeCgroups(cgroup: string): Promise<void> {
  for (const dir of cgroupDirs(cgroup)) await mkdir(join(dir, 'keeper'), { recursive: true });
}

/** All processes of a machine, whatever they are called. */
export function cgroupPids(cgroup: string): number[] {
  const pids = new Set<number>();
  const visit = (dir: string): void => {
    for (const pid of readLines(join(dir, 'cgroup.procs'))) pids.add(Number(pid));
    for (const child of children(dir)) visit(child);
  };
  for (const dir of cgroupDirs(cgroup)) visit(dir);
  // 0 is a process of a namespace that we cannot see: signalling it would hit ourselves
  pids.delete(0);
  pids.delete(process.pid);
  return [...pids];
}

/** The names of all cgroups that start with a prefix. */
export function cgroupsWithPrefix(prefix: string): string[] {
  const names = cgroupRoots().flatMap((root) => readdirSync(root).filter((name) => name.startsWith(prefix)));
  return [...new Set(names)];
}

/** Kills every process of a machine at once (a crash, not a shutdown) and waits until they are gone. */
export async function killCgroup(cgroup: string, timeoutMs = 15_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const pids = cgroupPids(cgroup);
    if (pids.length === 0) return;
    if (performance.now() > deadline) throw new Error(`processes of ${cgroup} do not die: ${pids.join(' ')}`);
    for (const pid of pids) kill(pid);
    await sleep(30);
  }
}

/** Removes a machine's cgroups, leaves first. */
export async function removeCgroups(cgroup: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    for (const dir of cgroupDirs(cgroup)) removeBottomUp(dir);
    if (cgroupDirs(cgroup).every((dir) => !existsSync(dir))) return;
    await sleep(30);
  }
  throw new Error(`cgroup ${cgroup} cannot be removed`);
}

function removeBottomUp(dir: string): void {
  for (const child of children(dir)) removeBottomUp(child);
  try {
    rmdirSync(dir);
  } catch {
    // a dying process holds it for a moment; the caller looks again
  }
}

function children(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(dir, entry.name));
  } catch {
    return [];
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it was faster
  }
}
