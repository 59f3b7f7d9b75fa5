import { ClusterError } from '../../error.ts';
import type { JobOutcome, Machine } from '../../machine/index.ts';
import { steps } from '../../plan/index.ts';
import type { Assignment, Step } from '../../plan/model.ts';
import { within } from '../../within.ts';
import { nameOf, reportFailed, reportRefused, reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';
import { observe } from './ask.ts';
import { carryOut, isFailed } from './carry-out.ts';
import type { MachineScope, Scope } from './scope.ts';
import { Waits } from './waits.ts';
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
  /** How many units are now what they should be and were not before, over all machines. */
  readonly done: number;
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
  const waits = new Waits(session);
  const inOrder = [...scope.values()].sort((a, b) => (a.machine.id < b.machine.id ? -1 : 1));
  const results = await Promise.all(
    inOrder.map(async (item): Promise<MachineResult> => {
      const { machine: record, units } = item;
      try {
        const machine = await decided.reachability.machine(record);
        return await convergeMachine(session, machine, item, assigned.get(record.id) ?? [], decided, {
          ...options,
          waits,
        });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        silent.set(record.id, error);
        return { steps: [], done: 0, failures: [reportUnreachable(session, record, error, { units })] };
      }
    }),
  );
  return {
    steps: results.flatMap((result) => result.steps),
    done: results.reduce((sum, { done }) => sum + done, 0),
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

type MachineResult = Pick<Converged, 'steps' | 'done' | 'failures'>;

async function convergeMachine(
  session: Session,
  machine: Machine,
  { machine: record, units, everything }: MachineScope,
  assignedHere: readonly Assignment[],
  { decision }: Decided,
  options: ConvergeOptions & { readonly waits: Waits },
): Promise<MachineResult> {
  const { block, timeoutMs, asked, dryRun = false, waits } = options;
  const { files, why } = decision;
  const assigned = assignedHere.filter(({ unit }) => everything || units.has(unit));
  const observations = await observe(machine, record.id, units, everything);
  const todo = steps(assigned, observations, { why, files, join: block, ...(asked && { asked }) });
  if (dryRun) return { steps: todo, done: 0, failures: [] };

  const assignments = new Map(assigned.map((item) => [item.unit, item]));
  const failures: ClusterError[] = [];
  const name = nameOf(record);
  let done = 0;
  let over = false;
  const ended = (unit: string, outcome: JobOutcome | null): void => {
    if (over) return;
    waits.end(name, unit);
    if (outcome !== null && isFailed(outcome)) {
      failures.push(reportFailed(session, record, outcome));
      return;
    }
    const state = assignments.get(unit)?.desired;
    if (!block || state === undefined) return;
    done++;
    session.emit({ kind: 'state', unit, state, machine: name, global: decision.globals.has(unit) });
  };
  const work = carryOut(machine, {
    steps: todo,
    assignments,
    text: (hash) => files.get(hash) ?? '',
    block,
    minHealthyMs: session.config.minHealthyMs,
    ended,
    waits: (job, jobUnits) => waits.begin(name, job, jobUnits),
  });
  const slow = todo.find((step) => step.action === 'start' || step.action === 'stop')?.unit ?? '';
  try {
    await waitFor(work, timeoutMs, slow);
  } finally {
    over = true;
    for (const { unit } of todo) waits.end(name, unit);
  }
  return { steps: todo, done, failures };
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
