import { ClusterError } from '../../error.ts';
import { lookupHost, type MachineTarget, trustedHostKeys } from '../../machine/index.ts';
import type { Session } from '../session.ts';

/** The host keys to share. @throws `host-key-not-shared` where no known_hosts file names one. */
export async function hostKeysOf(session: Session, target: MachineTarget): Promise<string[]> {
  const ssh = session.ssh();
  const keys = await trustedHostKeys(target, ssh, lookupHost(target.address, ssh, target));
  if (keys.length === 0)
    throw new ClusterError(
      'host-key-not-shared',
      `no known_hosts file of yours has a key of ${target.address} that could be shared`,
      {
        machine: target.address,
        hint: 'an authority may vouch for it, or the key was shared already: cluster machine show',
      },
    );
  return keys;
}
