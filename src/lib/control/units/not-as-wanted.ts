import { ClusterError } from '../../error.ts';
import type { Observation } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';

/** Says what is wanted loaded only and runs on. @returns errors for those that were asked for. */
export function reportUpheld(
  session: Session,
  record: MachineRecord,
  loaded: ReadonlySet<string>,
  observations: readonly Observation[],
  upheld: (unit: string) => string | undefined,
  asked: ReadonlySet<string> = new Set(),
): ClusterError[] {
  return observations.flatMap(({ unit, active }) => {
    const why = loaded.has(unit) && active === 'active' ? upheld(unit) : undefined;
    if (why === undefined) return [];
    session.emit({ kind: 'upheld', unit, machine: nameOf(record), why });
    if (!asked.has(unit)) return [];
    return [
      new ClusterError('unit-upheld', `unit ${unit} is not stopped: ${why}`, { unit, machine: record.id }),
    ];
  });
}

/** Why a unit is not started whose condition was not met: systemd does not look at it again by itself. */
export function whyPassedOver(unit: string, why = 'a condition of its file was not met'): string {
  return `${why}; cluster start ${unit} tries again`;
}
