import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import { type MachineTarget, parseSpec, resolveTarget } from '../../machine/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { write } from '../units/write.ts';
import { convergeMachines } from './converge-machines.ts';

/** Connects, reads what each machine is, registers it, and starts the global units that fit it. */
export async function addMachines(
  session: Session,
  specs: readonly string[],
  metadata: Record<string, string> | null,
): Promise<void> {
  const targets = await Promise.all(
    specs.map((spec) => resolveTarget(parseSpec(spec), session.ssh(), { user: session.config.ssh.user })),
  );
  await addTargets(session, targets, metadata);
}

/** As addMachines, with targets that are known already (the lab's). */
export async function addTargets(
  session: Session,
  targets: readonly MachineTarget[],
  metadata: Record<string, string> | null,
): Promise<void> {
  const errors: ClusterError[] = [];
  const found: Found[] = [];
  await Promise.all(
    targets.map(async (target) => {
      try {
        const facts = await (await session.connect(target)).facts();
        if (facts.sudo === 'denied') throw sudoDenied(target);
        found.push({ v: 1, id: facts.machineId, target, facts });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        errors.push(error);
      }
    }),
  );
  refuseTwins(found, errors);
  await refuseClones(session, found, errors);
  if (found.length === 0) throw new ClusterErrors(errors);
  const decided = await write(session, (state) => {
    const records = found.map((item) => ({
      ...item,
      metadata: metadata ?? state.machines.get(item.id)?.metadata ?? {},
    }));
    return { intent: { machines: new Map(records.map((record) => [record.id, record])) }, value: null };
  });
  const { before } = decided;
  for (const item of found) {
    const { hostname, os, systemd } = item.facts;
    session.emit({
      kind: 'machine-added',
      machine: { id: item.id, address: item.target.address },
      updated: before.machines.has(item.id),
      text: `${hostname}, ${os}, systemd ${systemd}`,
    });
  }

  const failures = await convergeMachines(session, decided, new Set(found.map(({ id }) => id)));
  if (errors.length > 0) throw new ClusterErrors([...errors, ...failures]);
  throwFailures(failures);
}

function sudoDenied(target: MachineTarget): ClusterError {
  return new ClusterError(
    'sudo-refused',
    `${target.user} may not use sudo on ${target.address} without a password`,
    {
      machine: target.address,
      hint: `allow it there: ${target.user} ALL=(ALL) NOPASSWD: ALL in /etc/sudoers.d/, or log in as root`,
      exit: EXIT.machine,
    },
  );
}

function refuseTwins(found: { id: string; target: MachineTarget }[], errors: ClusterError[]): void {
  const seen = new Map<string, string>();
  for (const item of [...found]) {
    const other = seen.get(item.id);
    seen.set(item.id, item.target.address);
    if (other === undefined || other === item.target.address) continue;
    found.splice(found.indexOf(item), 1);
    errors.push(twin(item.target.address, other));
  }
}

type Found = Omit<MachineRecord, 'metadata'>;

/**
 * A copy of a registered machine must not take its place. The same machine at a new address is known by its boot id; one
 * that no longer answers at its old address has moved.
 */
async function refuseClones(session: Session, found: Found[], errors: ClusterError[]): Promise<void> {
  const { machines } = await session.state();
  const legend = ({ address, port }: MachineTarget): string => `${address}:${port}`;
  await Promise.all(
    [...found].map(async (item) => {
      const known = machines.get(item.id);
      if (known === undefined || legend(known.target) === legend(item.target)) return;
      const there = await session
        .machine(known)
        .then((machine) => machine.facts())
        .catch((error: unknown) => {
          if (error instanceof ClusterError) return null;
          throw error;
        });
      if (there?.machineId !== item.id || there.bootId === item.facts.bootId) return;
      found.splice(found.indexOf(item), 1);
      errors.push(twin(legend(item.target), legend(known.target)));
    }),
  );
}

function twin(address: string, other: string): ClusterError {
  return new ClusterError('duplicate-machine-id', `${address} has the same machine id as ${other}`, {
    machine: address,
    hint: 'give it its own: rm /etc/machine-id && systemd-machine-id-setup, then reboot it',
  });
}
