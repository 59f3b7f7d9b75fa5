import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { ClusterError } from '../../error.ts';
import { type LabPaths, labPaths, labRoot } from './paths.ts';

/** One machine of a lab, as others reach it. */
export interface LabMachine {
  /** Its /etc/machine-id. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** Path of the lab's throw-away private key. */
  readonly identity: string;
  /** Path of the lab's own known_hosts. */
  readonly knownHosts: string;
  readonly hollow: false;
}

/** lab.json */
export interface LabState {
  readonly version: 1;
  readonly name: string;
  readonly docker: boolean;
  /** First three numbers of its /24, such as `10.80.7`. */
  readonly subnet: string;
  readonly rootfs: string;
  readonly machines: readonly { readonly index: number; readonly id: string }[];
}

/** The recorded state of a lab; undefined = there is none. */
export function readState(lab: LabPaths): LabState | undefined {
  if (!existsSync(lab.file)) return undefined;
  try {
    const state = JSON.parse(readFileSync(lab.file, 'utf8')) as LabState;
    if (state.version === 1 && Array.isArray(state.machines) && typeof state.subnet === 'string')
      return state;
  } catch {
    // Reported below.
  }
  throw new ClusterError('lab-state-broken', `${lab.file} cannot be read`, {
    hint: `remove the lab with \`cluster lab down --name ${lab.name}\` and make it again`,
  });
}

/** As {@link readState}; throws when there is no such lab. */
export function requireState(lab: LabPaths): LabState {
  const state = readState(lab);
  if (state !== undefined) return state;
  throw new ClusterError('lab-unknown', `there is no lab "${lab.name}"`, {
    hint: `make it with \`cluster lab up --name ${lab.name}\``,
  });
}

/** Writes lab.json in one step. */
export async function writeState(lab: LabPaths, state: LabState): Promise<void> {
  await mkdir(lab.dir, { recursive: true });
  await writeFile(`${lab.file}.new`, `${JSON.stringify(state, null, 2)}\n`);
  await rename(`${lab.file}.new`, lab.file);
}

/** Adds machines until there are `count`; ids are random and kept. */
export function withMachines(state: LabState, count: number): LabState {
  const machines = [...state.machines];
  while (machines.length < count) {
    machines.push({ index: machines.length + 1, id: randomBytes(16).toString('hex') });
  }
  return { ...state, machines };
}

/** The names of all labs that have a folder. */
export function labNames(stateDir?: string): string[] {
  const root = labRoot(stateDir);
  if (!existsSync(root)) return [];
  return readable(root)
    .filter((name) => !name.startsWith('.') && existsSync(labPaths(name, stateDir).file))
    .sort();
}

/** The labs of another user are none of ours. */
function readable(root: string): string[] {
  try {
    return readdirSync(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return [];
    throw error;
  }
}

/** The subnets of all other labs, including those that are off. */
export function subnetsOfOthers(lab: LabPaths): string[] {
  return labNames(lab.root).flatMap((name) => {
    if (name === lab.name) return [];
    try {
      return readState(labPaths(name, lab.root))?.subnet ?? [];
    } catch {
      // A broken lab.json concerns the other lab only.
      return [];
    }
  });
}

/** A machine of the lab as the registry and tests want it. */
export function labMachine(lab: LabPaths, state: LabState, index: number): LabMachine {
  return {
    id: state.machines[index - 1]?.id ?? '',
    name: `${lab.name}-${index}`,
    address: `${state.subnet}.${index + 10}`,
    port: 22,
    user: 'root',
    identity: lab.identity,
    knownHosts: lab.knownHosts,
    hollow: false,
  };
}

/** The number of a machine given as `2`, `"2"`, `"lab-2"`, its id or its address. */
export function machineIndex(lab: LabPaths, state: LabState, wanted: string | number): number {
  for (const { index, id } of state.machines) {
    const { name, address } = labMachine(lab, state, index);
    if ([String(index), name, id, address].includes(String(wanted))) return index;
  }
  throw new ClusterError('lab-no-machine', `lab "${lab.name}" has no machine "${wanted}"`, {
    hint: `its machines are ${state.machines.map(({ index }) => `${lab.name}-${index}`).join(', ')}`,
  });
}
