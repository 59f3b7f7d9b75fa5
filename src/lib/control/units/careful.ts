import type { ClusterError } from '../../error.ts';
import type { Observation, Step, Why } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { MachineName } from '../event.ts';
import { nameOf, reportUnknown } from '../report.ts';
import type { Session } from '../session.ts';
import type { Decided } from './write.ts';

/**
 * Says of each stop and removal why, before it is done, and asks before units go that the registry has no record of;
 * without a yes they stay, which is a failure.
 */
export interface Careful {
  /** Asked at most once for each machine. */
  readonly mayRemove: (machine: MachineName, units: readonly string[]) => Promise<boolean>;
}

/** Why a unit goes; for one that the registry has no record of, that. */
export function whyOf(decided: Decided, record: MachineRecord): Why {
  const isUnknown = unknownOn(decided, record);
  return (id, unit) =>
    isUnknown(unit) ? 'this registry has no record of it' : decided.decision.why(id, unit);
}

/** The steps on a machine that may be carried out, after each stop and removal was said and, if need be, asked for. */
export async function takeCare(
  session: Session,
  decided: Decided,
  record: MachineRecord,
  {
    careful,
    observations,
    stepsOf,
  }: {
    readonly careful: Careful;
    readonly observations: readonly Observation[];
    readonly stepsOf: (observations: readonly Observation[]) => Step[];
  },
): Promise<{ readonly steps: readonly Step[]; readonly failures: readonly ClusterError[] }> {
  const isUnknown = unknownOn(decided, record);
  const failures: ClusterError[] = [];
  let steps = stepsOf(observations);
  const unknown = [...new Set(steps.map(({ unit }) => unit))].filter(
    (unit) => unit !== '' && isUnknown(unit),
  );
  if (unknown.length > 0 && !(await careful.mayRemove(nameOf(record), unknown))) {
    failures.push(reportUnknown(session, record, unknown));
    steps = stepsOf(observations.filter(({ unit }) => !isUnknown(unit)));
  }
  for (const { action, unit, reason } of steps)
    if (action === 'stop' || action === 'remove')
      session.emit({ kind: 'taking', action, unit, machine: nameOf(record), reason });
  return { steps, failures };
}

/**
 * Whether a unit on a machine neither is nor was in the registry, nor is to leave this machine: of an older copy's
 * future, or of a cluster before. Of a machine that is removed, everything of ours goes.
 */
function unknownOn({ before, decision }: Decided, { id }: MachineRecord): (unit: string) => boolean {
  if (!decision.machines.has(id)) return () => false;
  const leaving = new Set(
    [...before.leaving.values(), ...decision.leaving.values()].flatMap(({ unit, machine }) =>
      machine === id ? [unit] : [],
    ),
  );
  return (unit) =>
    !before.units.has(unit) &&
    !decision.units.has(unit) &&
    !leaving.has(unit) &&
    !before.unreadable.has(unit);
}
