import { ClusterError } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { steps } from '../../plan/index.ts';
import type { Assignment, Step } from '../../plan/model.ts';
import { within } from '../../within.ts';
import { nameOf, reportFailed, reportRefused, reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';
import { observe } from './ask.ts';
import { carryOut } from './carry-out.ts';
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
  { decision }: Decided,
  options: ConvergeOptions,
): Promise<MachineResult> {
  const { block, timeoutMs, asked, dryRun = false } = options;
  const { files, why } = decision;
  const assigned = assignedHere.filter(({ unit }) => everything || units.has(unit));
  const observations = await observe(machine, record.id, units, everything);
  const todo = steps(assigned, observations, { why, files, join: block, ...(asked && { asked }) });
  if (dryRun) return { steps: todo, failures: [] };

  const assignments = new Map(assigned.map((item) => [item.unit, item]));
  const work = { steps: todo, assignments, text: (hash: string) => files.get(hash) ?? '', block };
  const slow = todo.find((step) => step.action === 'start' || step.action === 'stop')?.unit ?? '';
  const outcomes = await waitFor(carryOut(machine, work), timeoutMs, slow);

  const failed = outcomes.filter(({ result }) => !['done', 'skipped', 'queued'].includes(result));
  const failures = failed.map((outcome) => reportFailed(session, record, outcome));
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
