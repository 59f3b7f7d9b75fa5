import type { RegistryState } from '../../registry/index.ts';
import { answers, isOn, quorumOf } from '../etcd-members.ts';
import type { Session } from '../session.ts';

/** How an etcd member and a gateway are named among what is well on a machine. */
export const ETCD = 'the etcd member';
export const GATEWAY = 'the gateway';

/** Something that some machines have and of which the cluster needs so many. */
export interface Role {
  /** In the plural. */
  readonly what: string;
  /** How many have to be left. */
  readonly least: number;
  readonly all: number;
  /** Ids of the machines that have it, and of those where it answers. */
  readonly on: ReadonlySet<string>;
  readonly up: ReadonlySet<string>;
  /** How many answer that are on no machine of the registry. */
  readonly upNowhere: number;
}

/** Null = the cluster has none, or does not need it. */
export interface Roles {
  readonly etcd: Role | null;
  readonly gateway: Role | null;
}

/** Which machines have a member of etcd and which a gateway, and where they answer now. */
export async function readRoles(session: Session, state: RegistryState): Promise<Roles> {
  const [etcd, gateway] = await Promise.all([etcdRole(session, state), gatewayRole(session, state)]);
  return { etcd, gateway };
}

async function etcdRole(session: Session, state: RegistryState): Promise<Role | null> {
  const members = (await (await session.store()).members?.()) ?? [];
  if (members.length === 0) return null;
  const alive = await Promise.all(members.map((member) => answers(member, session)));
  const machines = [...state.machines.values()];
  const homes = members.map((member) => machines.find((machine) => isOn(member, machine))?.id);
  const known = (id: string | undefined): string[] => (id === undefined ? [] : [id]);
  return {
    what: 'etcd members',
    least: quorumOf(members.length),
    all: members.length,
    on: new Set(homes.flatMap(known)),
    up: new Set(homes.flatMap((id, at) => (alive[at] ? known(id) : []))),
    upNowhere: homes.filter((id, at) => id === undefined && alive[at]).length,
  };
}

/** Gateways that are away have no record, so that all that are known are up. */
async function gatewayRole(session: Session, state: RegistryState): Promise<Role | null> {
  const { gateways } = await (await session.gateways()).load();
  if (gateways.size === 0) return null;
  const { frontends } = await (await session.traffic()).load();
  if (frontends.size === 0) return null;
  const machines = new Set([...gateways.values()].map(({ machine }) => machine));
  const on = new Set([...machines].filter((id) => state.machines.has(id)));
  return {
    what: 'gateways',
    least: 1,
    all: machines.size,
    on,
    up: on,
    upNowhere: machines.size - on.size,
  };
}
