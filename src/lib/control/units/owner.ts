import { ClusterError, EXIT } from '../../error.ts';
import { machineOwned } from '../../machine/errors.ts';
import type { Machine, MachineOwner, OwnerChange } from '../../machine/index.ts';
import { compareIdentity, type MachineRecord, type RegistryIdentity, seenOf } from '../../registry/index.ts';
import type { Session } from '../session.ts';

/**
 * Refuses a machine that this registry must not change: one of another cluster, or one that has seen a later state of
 * this registry than we have. Two operators at once are told from an old copy by reading the registry once more.
 * @throws `machine-owned` (exit 4), `registry-older`, `registry-diverged` (exit 6).
 */
export async function checkOwner(
  session: Session,
  { target }: Pick<MachineRecord, 'target'>,
  owner: MachineOwner | null,
  identity: RegistryIdentity,
): Promise<void> {
  if (owner === null) return;
  let found = compareIdentity(identity, owner);
  if (found === 'older') found = compareIdentity(await (await session.registry()).identity(), owner);
  if (found === 'same') return;
  if (found === 'other') throw machineOwned(target, owner.cluster, identity.id ?? undefined);

  const { address, port, user } = target;
  const seen = `machine ${address} has seen change ${owner.generation} of its registry`;
  const place = {
    machine: address,
    hint: `use the newest registry (CLUSTER_ENDPOINT, CLUSTER_DATA_DIR); if it is lost: cluster machine add --take-over ${user}@${address}${port === 22 ? '' : `:${port}`}`,
    exit: EXIT.conflict,
  };
  const now = `this one is at ${identity.generation}: an old copy or a restored backup`;
  if (found === 'older') throw new ClusterError('registry-older', `${seen}, ${now}`, place);
  const copy = 'which this one does not have: it was changed as a copy';
  throw new ClusterError('registry-diverged', `${seen}, ${copy}`, place);
}

/** What a machine is to carry after a change. @throws when the registry was never written to, a fault of ours. */
export function ownerChange(identity: RegistryIdentity, how: OwnerChange['how']): OwnerChange {
  const seen = seenOf(identity);
  if (seen === null) throw new ClusterError('internal', 'a machine is changed by a registry without an id');
  return { how, ...seen };
}

/** Makes a machine this cluster's (`set`, `take`), or nobody's (`leave`), and changes nothing else there. */
export async function changeOwner(
  machine: Machine,
  identity: RegistryIdentity,
  how: OwnerChange['how'],
): Promise<void> {
  await machine.apply({ install: [], remove: [], owner: ownerChange(identity, how) });
}

/** Whether a machine answered and this registry may not change it. */
export function isNotOurs(error: ClusterError): boolean {
  return error.code === 'machine-owned' || isOutOfDate(error);
}

/** Whether the registry is at fault, not the machine. */
export function isOutOfDate({ code }: ClusterError): boolean {
  return code === 'registry-older' || code === 'registry-diverged';
}
