import { ClusterError } from '../../error.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { StoreMember } from '../../store/port.ts';
import { answers, isOn, quorumOf } from '../etcd-members.ts';
import type { Session } from '../session.ts';

/**
 * What the cluster cannot do without: etcd's quorum and the last gateway.
 * @throws `etcd-quorum`, `last-gateway` when it would go with this machine; nothing is changed then.
 */
export async function refuseToLose(
  session: Session,
  machine: MachineRecord,
): Promise<readonly StoreMember[]> {
  const { address } = machine.target;
  await refuseLastGateway(session, machine);
  const members = (await (await session.store()).members?.()) ?? [];
  const here = members.filter((member) => isOn(member, machine));
  if (here.length === 0) return [];
  const others = members.filter((member) => !here.includes(member));
  const alive = await Promise.all(others.map((member) => answers(member, session)));
  const left = alive.filter(Boolean).length;
  const needed = quorumOf(members.length);
  if (left >= needed) return here;
  throw new ClusterError(
    'etcd-quorum',
    `etcd runs on ${address}: without it ${left} of ${members.length} members would be left, and ${needed} are needed`,
    {
      machine: address,
      hint: 'add a member elsewhere, or take members that are gone off the list (etcdctl member remove), and try again',
    },
  );
}

/** @throws `last-gateway` when no gateway would be left without this machine, and there are frontends. */
export async function refuseLastGateway(session: Session, machine: MachineRecord): Promise<void> {
  const { gateways } = await (await session.gateways()).load();
  const { address } = machine.target;
  const gatewaysHere = [...gateways.values()].filter((gateway) => gateway.machine === machine.id);
  if (gatewaysHere.length > 0 && gatewaysHere.length === gateways.size) {
    const { frontends } = await (await session.traffic()).load();
    if (frontends.size > 0)
      throw new ClusterError('last-gateway', `the only gateway runs on ${address}`, {
        machine: address,
        hint: 'start one on another machine first, or destroy the gateway unit if no traffic is to be served',
      });
  }
}
