import { ClusterError } from '../error.ts';
import type { MachineTarget } from '../machine/index.ts';
import type { MachineRecord, RegistryState } from '../registry/index.ts';
import { nearest } from '../unit/index.ts';

/**
 * A machine by any unique prefix of its id, its address or its host name.
 * @throws `unknown-machine`, `ambiguous-machine`.
 */
export function findMachine(state: Pick<RegistryState, 'machines'>, wanted: string): MachineRecord {
  const all = [...state.machines.values()];
  const hits = all.filter(
    ({ id, target, facts }) =>
      id.startsWith(wanted) || facts.hostname === wanted || addressWords(target).includes(wanted),
  );
  const only = hits[0];
  if (only !== undefined && hits.length === 1) return only;
  if (hits.length > 1)
    throw new ClusterError('ambiguous-machine', `${wanted} fits ${hits.length} machines`, {
      hint: hits.map(({ id }) => id.slice(0, 8)).join(', '),
    });
  const close = nearest(
    wanted,
    all.flatMap(({ id, target }) => [id.slice(0, 8), target.address]),
  );
  throw new ClusterError('unknown-machine', `no machine ${wanted}`, {
    hint: close === null ? 'cluster list-machines' : `did you mean ${close}?`,
  });
}

/** What a person may call a machine by its address, as at `machine add`. */
function addressWords({ user, address, port }: MachineTarget): string[] {
  const bare = [address, `${address}:${port}`, `[${address}]:${port}`];
  return [...bare, ...bare.map((word) => `${user}@${word}`)];
}
