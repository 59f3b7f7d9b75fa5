import { splitUnitName } from '../../unit/index.ts';
import type { UnitStatus } from '../port.ts';
import { type Bus, BusError } from './dbus.ts';
import { MANAGER_PATH, SYSTEMD } from './names.ts';

export const MANAGER = {
  destination: SYSTEMD,
  path: MANAGER_PATH,
  interface: `${SYSTEMD}.Manager`,
} as const;

/** States of units, in the order asked; a name that systemd does not know has load `not-found`. */
export async function unitStatuses(bus: Bus, units: readonly string[]): Promise<UnitStatus[]> {
  return await namedUnits(bus, units, (named) => named.map(({ status }) => status));
}

/** A row of systemd's list: the unit's state under the name that was asked for, and its real name. */
export interface NamedUnit {
  readonly id: string;
  readonly status: UnitStatus;
}

/** Asks for units by name; `read` gets one row for each, in the order asked, at the moment that Bus.call says. */
export async function namedUnits<Value>(
  bus: Bus,
  units: readonly string[],
  read: (units: readonly NamedUnit[]) => Value,
): Promise<Value> {
  // A template has no state, and one in the list would make systemd refuse the whole question.
  const askable = units.filter((unit) => splitUnitName(unit)?.isTemplate !== true);
  if (askable.length === 0) return read(units.map(unknownUnit));
  const call = { ...MANAGER, member: 'ListUnitsByNames', signature: 'as', body: [askable] };
  return await bus.call(call, ([rows]) => {
    const answers = rowsOf(rows);
    const byName = new Map(answers.map((answer) => [answer.unit, { id: answer.unit, status: answer }]));
    // An alias is answered under its real name; the order is that of the question.
    if (answers.length === askable.length) {
      for (const [index, answer] of answers.entries()) {
        const asked = askable[index];
        if (asked !== undefined) byName.set(asked, { id: answer.unit, status: { ...answer, unit: asked } });
      }
    }
    return read(units.map((unit) => byName.get(unit) ?? unknownUnit(unit)));
  });
}

/** Rows of ListUnits and its kind: `a(ssssssouso)`. */
export function rowsOf(rows: unknown): UnitStatus[] {
  return (rows as unknown[][]).map((row) => ({
    unit: String(row[0]),
    load: String(row[2]),
    active: String(row[3]),
    sub: String(row[4]),
  }));
}

function unknownUnit(unit: string): NamedUnit {
  return { id: unit, status: { unit, load: 'not-found', active: 'inactive', sub: 'dead' } };
}

/** daemon-reload; resolves when it is done. */
export async function reload(bus: Bus): Promise<void> {
  await bus.call({ ...MANAGER, member: 'Reload' });
}

/** Makes the links that [Install] asks for; units without such a section are left as they are. */
export async function enableUnits(bus: Bus, units: readonly string[]): Promise<void> {
  if (units.length === 0) return;
  await bus.call({ ...MANAGER, member: 'EnableUnitFiles', signature: 'asbb', body: [units, false, false] });
}

/** A removed unit that had failed would stay listed as `not-found failed` until somebody resets it. */
export async function forgetUnits(bus: Bus, units: readonly string[]): Promise<void> {
  const reset = (unit: string) =>
    bus
      .call({ ...MANAGER, member: 'ResetFailedUnit', signature: 's', body: [unit] })
      .catch((error: unknown) => {
        // systemd answers so when it has forgotten the unit already.
        if (!(error instanceof BusError)) throw error;
      });
  await Promise.all(units.map(reset));
}
