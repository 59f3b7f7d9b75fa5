import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { checkLabName } from '../name.ts';

/** The folders of one lab, and the names of what it makes in the kernel. */
export interface LabPaths {
  readonly name: string;
  readonly root: string;
  readonly dir: string;
  readonly file: string;
  readonly lock: string;
  /** Held while a lab chooses its subnet; the same for all labs of this folder. */
  readonly subnetLock: string;
  readonly identity: string;
  readonly knownHosts: string;
  readonly bridge: string;
}

/** The same for one of its machines. */
export interface MachinePaths {
  readonly dir: string;
  readonly upper: string;
  readonly work: string;
  readonly merged: string;
  readonly pidFile: string;
  readonly script: string;
  readonly console: string;
  readonly link: string;
  /** What nspawn calls it; the host name inside is the machine's full name. */
  readonly nspawnName: string;
  readonly cgroup: string;
}

/** The folder for finished root file systems. */
export function cacheDir(): string {
  return process.env.CLUSTER_LAB_CACHE || '/var/cache/cluster/lab';
}

/** The folder that holds one folder for each lab. */
export function labRoot(stateDir?: string): string {
  return stateDir ?? (process.env.CLUSTER_LAB_DIR || '/var/lib/cluster-lab');
}

/** Kernel link names have at most 15 characters: a longer lab name is cut and gets a hash. */
function short(name: string): string {
  if (name.length <= 9) return name;
  return `${name.slice(0, 4)}-${createHash('sha256').update(name).digest('hex').slice(0, 4)}`;
}

/** Paths and kernel names of a lab; refuses a name that could not be a host name. */
export function labPaths(name: string, stateDir?: string): LabPaths {
  checkLabName(name);
  const root = labRoot(stateDir);
  const dir = join(root, name);
  return {
    name,
    root,
    dir,
    file: join(dir, 'lab.json'),
    lock: join(root, `.${name}.lock`),
    subnetLock: join(root, '.subnets_lock'),
    identity: join(dir, 'id_ed25519'),
    knownHosts: join(dir, 'known_hosts'),
    bridge: `cl-${short(name)}0`,
  };
}

/** Paths and kernel names of machine number `index` (1-based). */
export function machinePaths(lab: LabPaths, index: number): MachinePaths {
  const dir = join(lab.dir, 'machines', String(index));
  const nspawnName = `${short(lab.name)}-${index}`;
  return {
    dir,
    upper: join(dir, 'upper'),
    work: join(dir, 'work'),
    merged: join(dir, 'merged'),
    pidFile: join(dir, 'pid'),
    script: join(dir, 'run.sh'),
    console: join(dir, 'console.log'),
    link: `vb-${nspawnName}`,
    nspawnName,
    cgroup: `${cgroupPrefix(lab.name)}${index}`,
  };
}

/** A lab name holds no dot, so this is the prefix of one lab's cgroups only. */
export function cgroupPrefix(name: string): string {
  return `cluster-lab.${name}.`;
}

/** Whether a link belongs to a lab. */
export function isLinkOf(lab: LabPaths, link: string): boolean {
  const prefix = `vb-${short(lab.name)}-`;
  return link === lab.bridge || (link.startsWith(prefix) && /^\d+$/.test(link.slice(prefix.length)));
}
