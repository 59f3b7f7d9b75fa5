import { join } from 'node:path';
import { ClusterError } from '../../error.ts';
import { checkLabName } from '../../lab/name.ts';
import type { MachineTarget } from '../../machine/index.ts';
import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge, UNTIL_DONE } from '../units/converge.ts';
import { scopeOfUnits } from '../units/scope.ts';
import { write } from '../units/write.ts';
import { addTargets } from './add.ts';

export interface LabOptions {
  readonly name: string;
  readonly machines: number;
  readonly docker: boolean;
}

/** A machine of a lab, real or hollow. */
export interface LabMachine extends MachineTarget {
  readonly id: string;
  readonly name: string;
  readonly hollow: boolean;
}

/** Makes (or finds) real machines on this computer and registers them. */
export async function labUp(
  session: Session,
  options: LabOptions,
  onProgress: (line: string) => void,
): Promise<readonly LabMachine[]> {
  const real = await import('../../lab/real/index.ts');
  const machines = await real.labUp({ ...options, onProgress });
  await register(session, machines);
  return machines;
}

/** Starts a process of its own with hollow machines and registers them. `entry` is the program's own entry file. */
export async function hollowUp(
  session: Session,
  options: LabOptions,
  entry: string,
  onProgress: (line: string) => void,
): Promise<readonly LabMachine[]> {
  const { startHollowProcess } = await import('../../lab/hollow/process.ts');
  const stateDir = hollowDir(session, options.name);
  const { name, machines } = options;
  const argv = [
    entry,
    'lab',
    'hollow-serve',
    '--name',
    name,
    '--machines',
    String(machines),
    '--state-dir',
    stateDir,
  ];
  const state = await startHollowProcess({ name, machines, stateDir, argv, onProgress });
  await register(session, state.machines);
  return state.machines;
}

/** Machines of a lab whose registry was copied to another place are registered there already. */
async function register(session: Session, machines: readonly LabMachine[]): Promise<void> {
  const { moved } = await session.state();
  if (moved === null) await addTargets(session, machines.map(targetOf), { metadata: null });
}

/** Takes a lab's machines out of the registry and ends them, whatever state a killed run left. */
export async function labDown(
  session: Session,
  name: string,
  onProgress: (line: string) => void,
): Promise<void> {
  const machines = await labMachines(session, name);
  const ids = new Set(machines.map(({ id }) => id));
  const { moved } = await session.state();
  const failures = moved === null ? await takeOut(session, ids) : [];
  await (await session.pool()).forget(machines.map(targetOf));
  const { hollowDown } = await import('../../lab/hollow/process.ts');
  await hollowDown(hollowDir(session, name));
  const real = await import('../../lab/real/index.ts');
  if (process.platform === 'linux' && process.getuid?.() === 0) await real.labDown({ name, onProgress });
  throwFailures(failures);
}

/** Takes machines out of the registry without talking to them. @returns what went wrong elsewhere, reported. */
async function takeOut(session: Session, ids: ReadonlySet<string>): Promise<readonly ClusterError[]> {
  const decided = await write(session, (state) => {
    const gone = [...state.machines.keys()].filter((id) => ids.has(id));
    return { intent: { machines: new Map(gone.map((id) => [id, null])) }, value: null };
  });
  const { before, decision } = decided;
  // The lab's own machines end with all that is on them: only the others are talked to.
  const scope = scopeOfUnits(before, decision, decision.changed);
  return (await converge(session, decided, scope, UNTIL_DONE)).failures;
}

/** The machines of a lab that runs now, real and hollow. */
export async function labMachines(session: Session, name: string): Promise<readonly LabMachine[]> {
  const { hollowStatus } = await import('../../lab/hollow/process.ts');
  const hollow = (await hollowStatus(hollowDir(session, name)))?.machines ?? [];
  const real = await import('../../lab/real/index.ts');
  const labs = await real.labStatus({ name }).catch((error: unknown) => {
    if (error instanceof ClusterError && error.code === 'lab-unknown') return [];
    throw error;
  });
  return [...labs.flatMap((lab) => lab.machines), ...hollow];
}

function hollowDir(session: Session, name: string): string {
  return join(session.config.dataDir, 'hollow', checkLabName(name));
}

function targetOf({ address, port, user, identity, knownHosts }: LabMachine): MachineTarget {
  return {
    address,
    port,
    user,
    ...(identity !== undefined && { identity }),
    ...(knownHosts !== undefined && { knownHosts }),
  };
}
