import type { HollowLab } from '../../src/lib/lab/hollow/lab.ts';
import { type Workplace, workplace } from './cli.ts';

/** A workplace where the machines of a lab in this process are added. */
export async function workplaceWith(
  lab: HollowLab,
  extra: NodeJS.ProcessEnv = {},
  ...flags: readonly string[]
): Promise<Workplace> {
  const at = await workplace({
    CLUSTER_SSH_IDENTITY: lab.machines[0]?.identity,
    CLUSTER_KNOWN_HOSTS_FILE: lab.machines[0]?.knownHosts,
    ...extra,
  });
  await at.ok('machine', 'add', ...flags, ...lab.machines.map(({ port }) => `root@127.0.0.1:${port}`));
  return at;
}
