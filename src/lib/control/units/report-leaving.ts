import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';

/** Machines that still have to be rid of a unit, by unit. */
export function machinesLeft(state: RegistryState): ReadonlyMap<string, readonly MachineRecord[]> {
  const left = new Map<string, MachineRecord[]>();
  for (const { unit, machine } of state.leaving.values()) {
    const record = state.machines.get(machine);
    if (record !== undefined) left.set(unit, [...(left.get(unit) ?? []), record]);
  }
  return left;
}

/** Says of each unit that it is destroyed, or where it may still be. */
export async function reportDestroyed(session: Session, names: readonly string[]): Promise<void> {
  const state = await (await session.registry()).load();
  const left = machinesLeft(state);
  for (const unit of names) {
    const machines = left.get(unit);
    if (machines !== undefined) session.emit({ kind: 'leaving', unit, machines: machines.map(nameOf) });
    else if (!state.units.has(unit)) session.emit({ kind: 'destroyed', unit });
  }
}

/** Says of each unit where it may still be. */
export async function reportLeaving(session: Session, names: readonly string[]): Promise<void> {
  const left = machinesLeft(await (await session.registry()).load());
  for (const unit of names) {
    const machines = left.get(unit);
    if (machines !== undefined) session.emit({ kind: 'leaving', unit, machines: machines.map(nameOf) });
  }
}
