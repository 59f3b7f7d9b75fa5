import { ClusterError } from '../../error.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';

/** A slot of a lock that a machine holds. */
export interface LockRow {
  readonly lock: string;
  readonly max: number;
  /** Machine id. */
  readonly machine: string;
  /** null = the machine is not known any more. */
  readonly address: string | null;
  readonly rollout: string;
  readonly since: string;
}

export async function listLocks(session: Session): Promise<readonly LockRow[]> {
  const { locks, problems } = await (await session.locks()).load();
  for (const { key, message } of problems) session.emit({ kind: 'problem', key, message });
  const { machines } = await session.state();
  return [...locks.values()].flatMap(({ name, lock: { max, holders } }) =>
    Object.entries(holders).map(([machine, { rollout, since }]) => {
      const address = machines.get(machine)?.target.address ?? null;
      return { lock: name, max, machine, address, rollout, since };
    }),
  );
}

/** Frees a machine's slot of one lock. @throws `no-such-slot` when it holds none. */
export async function freeSlot(session: Session, lock: string, wanted: string): Promise<LockRow> {
  const rows = (await listLocks(session)).filter((row) => row.lock === lock);
  const byId = rows.filter(({ machine }) => wanted !== '' && machine.startsWith(wanted));
  const [only] = byId;
  const id = byId.length === 1 ? only!.machine : findMachine(await session.state(), wanted).id;
  const row = rows.find(({ machine }) => machine === id);
  if (row === undefined)
    throw new ClusterError(
      'no-such-slot',
      `machine ${id.slice(0, 8)} holds no slot of lock ${JSON.stringify(lock)}`,
      {
        hint: 'cluster lock ls shows all that are held',
      },
    );
  await (await session.locks()).release(new Set([id]), lock);
  return row;
}
