import { ClusterError, ClusterErrors, EXIT } from '../error.ts';
import type { JobOutcome } from '../machine/index.ts';
import type { Refusal } from '../plan/model.ts';
import type { MachineRecord } from '../registry/index.ts';
import { nameMachine } from './away.ts';
import type { MachineName } from './event.ts';
import type { Session } from './session.ts';

/*
 * What went wrong, said to the person as it happens and returned as an error for the exit code. Each kind of failure is
 * worded here and nowhere else.
 */

/** A machine did not answer, so nothing was done there for these units. `hint` is used where the error has none. */
export function reportUnreachable(
  session: Session,
  record: MachineRecord,
  error: ClusterError,
  { units = [], hint }: { units?: Iterable<string>; hint?: string } = {},
): ClusterError {
  const { message } = nameMachine(record, error);
  session.emit({
    kind: 'unreachable',
    machine: nameOf(record),
    message,
    units: [...units],
    hint: error.hint ?? hint,
    passedOver: false,
  });
  return error;
}

/** A machine did not answer, and what was to be placed there went elsewhere: a warning, not a failure. */
export function reportPassedOver(session: Session, record: MachineRecord, error: ClusterError): void {
  const { message, hint } = nameMachine(record, error);
  session.emit({
    kind: 'unreachable',
    machine: nameOf(record),
    message,
    units: [],
    hint,
    passedOver: true,
  });
}

/** A unit has no machine. Where one would do if it answered, the exit code is that of a machine that is away. */
export function reportRefused(session: Session, { unit, reasons }: Refusal, withdrawn = false): ClusterError {
  session.emit({ kind: 'refused', unit, reasons, withdrawn });
  const away = reasons.some(({ rule }) => rule === 'unreachable');
  return new ClusterError('unplaceable', `unit ${unit} cannot be placed`, {
    unit,
    exit: away ? EXIT.machine : EXIT.failed,
  });
}

/** A unit's job failed on a machine. */
export function reportFailed(session: Session, record: MachineRecord, outcome: JobOutcome): ClusterError {
  const { unit, result, failure } = outcome;
  const how = failure?.how ?? `job ${result}`;
  const hint = failure?.hint;
  const journal = failure?.journal ?? [];
  session.emit({ kind: 'failed', unit, machine: nameOf(record), how, journal, hint });
  return new ClusterError('unit-failed', `unit ${unit} failed on ${record.target.address}: ${how}`, {
    unit,
    machine: record.id,
    ...(hint !== undefined && { hint }),
  });
}

/** Units on a machine that the registry has no record of, which were left there. */
export function reportUnknown(
  session: Session,
  record: MachineRecord,
  units: readonly string[],
): ClusterError {
  session.emit({ kind: 'unknown-units', machine: nameOf(record), units });
  return new ClusterError('units-unknown', `${units.length} units on ${record.target.address} are unknown`, {
    machine: record.id,
  });
}

export function nameOf(record: MachineRecord): MachineName {
  return { id: record.id, address: record.target.address };
}

/** Throws what went wrong, all of it and already reported, when anything did. */
export function throwFailures(failures: readonly ClusterError[]): void {
  if (failures.length > 0) throw new ClusterErrors(failures, true);
}
