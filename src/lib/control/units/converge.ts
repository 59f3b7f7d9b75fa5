import { ClusterError } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { steps } from '../../plan/index.ts';
import type { Assignment, Observation, Step, Why } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { within } from '../../within.ts';
import type { MachineName } from '../event.ts';
import { nameOf, reportFailed, reportRefused, reportUnknown, reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';
import { observe } from './ask.ts';
import { carryOut } from './carry-out.ts';
import { changeOwner, checkOwner, ownerChange } from './owner.ts';
import type { MachineScope, Scope } from './scope.ts';
import { type Decided, warnOfPassedOver } from './write.ts';

/** How long to wait for systemd. */
export interface Waiting {
  /** Wait for systemd's jobs; false: queue them and return. */
  readonly block: boolean;
  /** Give up waiting after so many milliseconds; 0 = never. */
  readonly timeoutMs: number;
}

export const UNTIL_DONE: Waiting = { block: true, timeoutMs: 0 };

export interface ConvergeOptions extends Waiting {
  /** Units that a person asks to start now; `block` then also waits for what is starting already. */
  readonly asked?: ReadonlySet<string>;
  /**
   * Says of each stop and removal why, before it is done, and asks before units go that the registry has no record of;
   * without a yes they stay, which is a failure. Absent = whatever is not wanted goes.
   */
  readonly careful?: {
    readonly mayRemove: (machine: MachineName, units: readonly string[]) => Promise<boolean>;
  };
  /** Return the steps and touch nothing. */
  readonly dryRun?: boolean;
}

export interface Converged {
  readonly steps: readonly Step[];
  /** What went wrong, already reported; in order of machine ids. */
  readonly failures: readonly ClusterError[];
  /** Of these, what machines that did not answer said, by machine id. */
  readonly silent: ReadonlyMap<string, ClusterError>;
}

/**
 * Makes the machines in scope what the decision says: each is observed, the steps that follow are carried out, and what
 * happened to its units is reported as it happens. Machines go side by side; one that does not answer holds up no other.
 */
export async function converge(
  session: Session,
  decided: Decided,
  scope: Scope,
  options: ConvergeOptions,
): Promise<Converged> {
  warnOfPassedOver(session, decided, scope);
  const assigned = byMachine(decided.decision.assignments);
  const silent = new Map<string, ClusterError>();
  const inOrder = [...scope.values()].sort((a, b) => (a.machine.id < b.machine.id ? -1 : 1));
  const results = await Promise.all(
    inOrder.map(async (item): Promise<MachineResult> => {
      const { machine: record, units } = item;
      try {
        const machine = await decided.reachability.machine(record);
        return await convergeMachine(session, machine, item, assigned.get(record.id) ?? [], decided, options);
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        silent.set(record.id, error);
        return { steps: [], failures: [reportUnreachable(session, record, error, { units })] };
      }
    }),
  );
  return {
    steps: results.flatMap((result) => result.steps),
    failures: results.flatMap((result) => result.failures),
    silent,
  };
}

/** Reports units that have no machine, those that `concerns` names; returns an error for each. */
export function reportRefusals(
  session: Session,
  { decision }: Decided,
  concerns: (unit: string) => boolean,
): ClusterError[] {
  const refusals = decision.result.refusals.filter(({ unit }) => concerns(unit));
  return refusals.map((refusal) => reportRefused(session, refusal));
}

type MachineResult = Pick<Converged, 'steps' | 'failures'>;

async function convergeMachine(
  session: Session,
  machine: Machine,
  { machine: record, units, everything }: MachineScope,
  assignedHere: readonly Assignment[],
  decided: Decided,
  options: ConvergeOptions,
): Promise<MachineResult> {
  const { block, timeoutMs, asked, careful, dryRun = false } = options;
  const { decision, identity } = decided;
  const { files } = decision;
  const assigned = assignedHere.filter(({ unit }) => everything || units.has(unit));
  const { owner, observations } = await observe(machine, record.id, units, everything);
  await checkOwner(session, record, owner, identity);

  const isLeaving = !decision.machines.has(record.id);
  const seen = observations.filter(({ unit }) => !isUnreadable(decided, unit));
  const isUnknown = (unit: string): boolean => !isLeaving && isWithoutRecord(decided, unit);
  const why: Why = (id, unit) =>
    isUnknown(unit) ? 'this registry has no record of it' : decision.why(id, unit);
  const stepsOf = (found: readonly Observation[]): Step[] =>
    steps(assigned, found, { why, files, join: block, ...(asked && { asked }) });
  let todo = stepsOf(seen);
  if (dryRun) return { steps: todo, failures: [] };

  const failures: ClusterError[] = [];
  const unknown = [...new Set(todo.map(({ unit }) => unit).filter((unit) => unit !== '' && isUnknown(unit)))];
  if (careful !== undefined && unknown.length > 0 && !(await careful.mayRemove(nameOf(record), unknown))) {
    failures.push(reportUnknown(session, record, unknown));
    todo = stepsOf(seen.filter(({ unit }) => !isUnknown(unit)));
  }
  if (careful !== undefined) announce(session, record, todo);

  if (owner === null && !isLeaving) {
    if (record.owned) reportNew(session, record);
    await changeOwner(machine, identity, 'set');
  }
  const assignments = new Map(assigned.map((item) => [item.unit, item]));
  const work = {
    steps: todo,
    assignments,
    text: (hash: string) => files.get(hash) ?? '',
    block,
    owner: ownerChange(identity, 'set'),
  };
  const slow = todo.find((step) => step.action === 'start' || step.action === 'stop')?.unit ?? '';
  const outcomes = await waitFor(carryOut(machine, work), timeoutMs, slow);

  const failed = outcomes.filter(({ result }) => !['done', 'skipped', 'queued'].includes(result));
  failures.push(...failed.map((outcome) => reportFailed(session, record, outcome)));
  if (isLeaving && failures.length === 0) await changeOwner(machine, identity, 'leave');
  const unwell = new Set(failed.map(({ unit }) => unit));
  const touched = new Set(todo.map(({ unit }) => unit));
  for (const unit of block ? touched : []) {
    const state = assignments.get(unit)?.desired;
    if (state === undefined || unwell.has(unit)) continue;
    const global = decision.globals.has(unit);
    session.emit({ kind: 'state', unit, state, machine: nameOf(record), global });
  }
  return { steps: todo, failures };
}

/** A unit on a machine that neither was nor is in the registry: of an older copy's future, or of a cluster before. */
function isWithoutRecord({ before, decision }: Pick<Decided, 'before' | 'decision'>, unit: string): boolean {
  return !before.units.has(unit) && !decision.units.has(unit);
}

/** The registry has a record of this unit that cannot be read: nobody knows what it should be, so it is left alone. */
function isUnreadable({ before, decision }: Decided, unit: string): boolean {
  return before.revisions.has(`units/${unit}`) && isWithoutRecord({ before, decision }, unit);
}

function announce(session: Session, record: MachineRecord, todo: readonly Step[]): void {
  for (const { action, unit, reason } of todo)
    if (action === 'stop' || action === 'remove')
      session.emit({ kind: 'taking', action, unit, machine: nameOf(record), reason });
}

function reportNew(session: Session, { target }: MachineRecord): void {
  const message = `machine ${target.address} does not carry this cluster's id any more: it was made anew, or /etc/cluster was removed there; it is set up again`;
  session.emit({ kind: 'warning', message });
}

function byMachine(assignments: readonly Assignment[]): Map<string, Assignment[]> {
  const out = new Map<string, Assignment[]>();
  for (const assignment of assignments) {
    const here = out.get(assignment.machine);
    if (here === undefined) out.set(assignment.machine, [assignment]);
    else here.push(assignment);
  }
  return out;
}

const LATE = Symbol('late');

/** Waits for work on this unit for at most `timeoutMs`; 0 = without limit. @throws ClusterError `wait-timeout`. */
export async function waitFor<Value>(work: Promise<Value>, timeoutMs: number, unit: string): Promise<Value> {
  if (timeoutMs === 0) return work;
  const value = await within(timeoutMs, work, LATE);
  if (value !== LATE) return value;
  throw new ClusterError('wait-timeout', `timed out waiting for unit ${unit} after ${timeoutMs / 1000} s`, {
    unit,
    hint: 'the request stands; cluster list-units shows how it goes, --block-attempts 0 waits as long as it takes',
  });
}
