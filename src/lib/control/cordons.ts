import type { Cordon } from '../plan/model.ts';
import type { MachineRecord } from '../registry/index.ts';

/** Who wants a machine cordoned: a person, or a rollout. */
export type CordonOwner = 'operator' | `rollout/${string}`;

export const OPERATOR: CordonOwner = 'operator';
export const ownerOf = ({ id }: { readonly id: string }): CordonOwner => `rollout/${id}`;

/** The record with this owner's cordon, beside those of others. */
export function withCordon(record: MachineRecord, owner: CordonOwner, cordon: Cordon): MachineRecord {
  return { ...record, cordons: { ...record.cordons, [owner]: cordon } };
}

/** The record without the cordons of these owners. */
export function withoutCordons(record: MachineRecord, owners: ReadonlySet<string>): MachineRecord {
  const { cordons = {}, ...rest } = record;
  const left = Object.entries(cordons).filter(([owner]) => !owners.has(owner));
  return left.length === 0 ? rest : { ...rest, cordons: Object.fromEntries(left) };
}

export function isCordoned({ cordons = {} }: Pick<MachineRecord, 'cordons'>): boolean {
  return Object.keys(cordons).length > 0;
}
