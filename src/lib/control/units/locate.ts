import { ClusterError, ClusterErrors } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';
import { nameUnits, requireKnown } from './name-units.ts';

/** A unit on one of the machines that have it. */
export interface Located {
  readonly unit: string;
  readonly machine: MachineRecord;
}

/** Where units are; a global unit is on several machines. @throws for units that are on none. */
export async function locate(
  session: Session,
  args: readonly string[],
  machine?: string,
): Promise<Located[]> {
  const state = await session.state();
  const only = machine === undefined ? undefined : findMachine(state, machine).id;
  const { assignments } = decide(state);
  const located = new Set(
    assignments.filter((item) => only === undefined || item.machine === only).map(({ unit }) => unit),
  );
  const names = requireKnown(
    state,
    nameUnits(state, args, ({ name }) => located.has(name)),
  );
  const errors: ClusterError[] = [];
  const out: Located[] = [];
  for (const unit of names) {
    const on = assignments
      .filter((item) => item.unit === unit && (only === undefined || item.machine === only))
      .flatMap((item) => state.machines.get(item.machine) ?? [])
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (on.length === 0)
      errors.push(
        new ClusterError('not-loaded', `Unit ${unit} does not appear to be loaded.`, {
          unit,
          hint: `cluster start ${unit}`,
        }),
      );
    out.push(...on.map((record) => ({ unit, machine: record })));
  }
  if (errors.length > 0) throw new ClusterErrors(errors);
  return out;
}

/** The units that each machine has of these. */
export function byMachine(located: readonly Located[]): { record: MachineRecord; units: string[] }[] {
  const out = new Map<string, { record: MachineRecord; units: string[] }>();
  for (const { unit, machine } of located) {
    const entry = out.get(machine.id) ?? { record: machine, units: [] };
    entry.units.push(unit);
    out.set(machine.id, entry);
  }
  return [...out.values()];
}
