import { ClusterError } from '../../error.ts';
import type { JobOutcome, Machine } from '../../machine/index.ts';
import { steps, UnitLinks } from '../../plan/index.ts';
import type { Assignment, Observation, Step } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { within } from '../../within.ts';

import { nameOf, reportFailed, reportRefused, reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';
import { observe } from './ask.ts';
import { type Careful, takeCare, whyOf } from './careful.ts';
import { carryOut, isFailed, type Work } from './carry-out.ts';
import { forgetClean, lookAgain, reportOvertaken } from './look-again.ts';
import { reportUpheld, whyPassedOver } from './not-as-wanted.ts';
import { changeOwner, checkOwner, ownerChange } from './owner.ts';
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
  /** Units that a person asks to start or stop now; `block` then also waits for what is starting already. */
  readonly asked?: ReadonlySet<string>;
  /** Absent = whatever is not wanted goes, unasked and unsaid. */
  readonly careful?: Careful;
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

/** How often a run looks again because others changed the same units while it worked. */
const LOOKS = 8;

/**
 * Makes the machines in scope what the decision says: each is observed, the steps that follow are carried out, and what
 * happened to its units is reported as it happens. Machines go side by side; one that does not answer holds up no other.
 *
 * Afterwards the registry is looked at again: where somebody else changed these units meanwhile, the machines are made
 * what it says now. So whoever has the last effect on a machine has looked since, and no unit is left in a state that
 * nobody recorded.
 */
export async function converge(
  session: Session,
  decided: Decided,
  scope: Scope,
  options: ConvergeOptions,
): Promise<Converged> {
  warnOfPassedOver(session, decided, scope);
  const first = await convergeOnce(session, decided, scope, options);
  if (options.dryRun || decided.written === null) return first;
  await forgetClean(session, decided, first.clean);
  const later = await followOthers(session, decided, scope, options);
  return {
    steps: [...first.steps, ...later.steps],
    done: first.done + later.done,
    failures: [...later.overtaken, ...first.failures, ...later.failures],
    silent: new Map([...first.silent, ...later.silent]),
  };
}

/**
 * After effects that rested on a decision: as long as others have changed units in scope since, their machines are made
 * what the registry says now. `overtaken` are errors for units that this run was about and that are wanted otherwise.
 */
export async function followOthers(
  session: Session,
  decided: Decided,
  scope: Scope,
  options: ConvergeOptions,
): Promise<Converged & { readonly overtaken: readonly ClusterError[] }> {
  const overtaken = new Map<string, ClusterError>();
  const rounds: Round[] = [];
  let change = await lookAgain(session, decided, scope);
  for (let look = 0; look < LOOKS && change !== null; look++) {
    for (const error of reportOvertaken(session, decided, change, options)) {
      const { unit = '' } = error.place;
      if (!overtaken.has(unit)) overtaken.set(unit, error);
    }
    const { block, timeoutMs } = options;
    const round = await convergeOnce(session, change.decided, change.scope, { block, timeoutMs });
    await forgetClean(session, change.decided, round.clean);
    rounds.push(round);
    change = await lookAgain(session, change.decided, change.scope);
  }
  return {
    steps: rounds.flatMap(({ steps: made }) => made),
    done: rounds.reduce((sum, { done }) => sum + done, 0),
    failures: rounds.flatMap(({ failures }) => failures),
    silent: new Map(rounds.flatMap(({ silent }) => [...silent])),
    overtaken: [...overtaken.values()],
  };
}

type Round = Converged & {
  /** By `leavingKey`: what machines are rid of now. */
  readonly clean: readonly string[];
};

async function convergeOnce(
  session: Session,
  decided: Decided,
  scope: Scope,
  options: ConvergeOptions,
): Promise<Round> {
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
        const failures = [reportUnreachable(session, record, error, { units })];
        return { steps: [], done: 0, failures, clean: [] };
      }
    }),
  );
  return {
    steps: results.flatMap((result) => result.steps),
    done: results.reduce((sum, { done }) => sum + done, 0),
    failures: results.flatMap((result) => result.failures),
    clean: results.flatMap((result) => result.clean),
    silent,
  };
}

/**
 * Reports units that have no machine, those that `concerns` names; returns an error for each. The request for those in
 * `withdrawn` is not kept.
 */
export function reportRefusals(
  session: Session,
  { decision }: Decided,
  concerns: (unit: string) => boolean,
  withdrawn: ReadonlySet<string> = new Set(),
): ClusterError[] {
  const refusals = decision.result.refusals.filter(({ unit }) => concerns(unit));
  return refusals.map((refusal) => reportRefused(session, refusal, withdrawn.has(refusal.unit)));
}

type MachineResult = Pick<Round, 'steps' | 'done' | 'failures' | 'clean'>;

async function convergeMachine(
  session: Session,
  machine: Machine,
  item: MachineScope,
  assignedHere: readonly Assignment[],
  decided: Decided,
  options: ConvergeOptions & { readonly waits: Waits },
): Promise<MachineResult> {
  const { machine: record, units, everything } = item;
  const { block, timeoutMs, asked, careful, dryRun = false, waits } = options;
  const { before, decision, identity } = decided;
  const { files } = decision;
  const assigned = assignedHere.filter(({ unit }) => everything || units.has(unit));
  const links = new UnitLinks(assignedHere, files);
  const launched = assigned.flatMap(({ unit, desired }) => (desired === 'launched' ? [unit] : []));
  const foreign = links.foreignNeeds(launched);

  const [{ owner, observations: found, settles }, states] = await Promise.all([
    observe(machine, record.id, units, everything),
    foreign.length === 0 ? [] : machine.statuses(foreign),
  ]);
  await checkOwner(session, record, owner, identity);
  // What is recorded and cannot be read may be wanted: it is left as it is.
  const observations = found.filter(({ unit }) => !before.unreadable.has(unit));
  const missing = new Set(states.filter(({ load }) => load === 'not-found').map(({ unit }) => unit));
  const elsewhere = { known: (unit: string) => whereElse(decision, unit), missing };
  const held = (unit: string): string | undefined => links.whyHeld(unit, elsewhere);

  const why = whyOf(decided, record);
  const upheld = (unit: string): string | undefined => links.whyUpheld(unit);
  const stepsOf = (seen: readonly Observation[]): Step[] =>
    steps(assigned, seen, { why, files, held, upheld, join: block, ...(asked && { asked }) });
  const failures = reportHeld(session, record, launched, observations, held, asked);
  const loaded = new Set(assigned.flatMap(({ unit, desired }) => (desired === 'loaded' ? [unit] : [])));
  failures.push(...reportUpheld(session, record, loaded, observations, upheld, asked));
  if (dryRun) return { steps: stepsOf(observations), done: 0, failures, clean: [] };

  const isLeaving = !decision.machines.has(record.id);
  let todo: readonly Step[] = stepsOf(observations);
  if (careful !== undefined) {
    const cared = await takeCare(session, decided, record, { careful, observations, stepsOf });
    todo = cared.steps;
    failures.push(...cared.failures);
  }
  if (owner === null && !isLeaving) {
    if (record.owned) reportNew(session, record);
    await changeOwner(machine, identity, 'set');
  }

  const assignments = new Map(assignedHere.map((one) => [one.unit, one]));
  const name = nameOf(record);
  const unwell = new Set<string>();
  let done = 0;
  let isOver = false;
  const ended = (unit: string, outcome: JobOutcome | null): void => {
    if (isOver) return;
    waits.end(name, unit);
    if (outcome !== null && isFailed(outcome)) {
      unwell.add(unit);
      failures.push(reportFailed(session, record, outcome));
      return;
    }
    if (outcome?.status.unmet) {
      session.emit({ kind: 'held', unit, machine: name, why: whyPassedOver(unit, outcome.status.why) });
      return;
    }
    const state = assignments.get(unit)?.desired;
    if (!block || state === undefined || held(unit) !== undefined) return;
    done++;
    session.emit({ kind: 'state', unit, state, machine: name, global: decision.globals.has(unit) });
  };
  const work: Work = {
    steps: todo,
    assignments,
    text: (hash) => files.get(hash) ?? '',
    block,
    owner: ownerChange(identity, 'set'),
    settles,
    isOver: () => isOver,
    minHealthyMs: session.config.minHealthyMs,
    ended,
    waits: (job, jobUnits) => waits.begin(name, job, jobUnits),
  };
  const slow = todo.find((step) => step.action === 'start' || step.action === 'stop')?.unit ?? '';
  try {
    await waitFor(carryOut(machine, work), timeoutMs, slow);
  } finally {
    isOver = true;
    for (const { unit } of todo) waits.end(name, unit);
  }

  const started = todo.filter(({ action }) => action === 'start').map(({ unit }) => unit);
  const pulled = new Set(links.pulledBy(started));
  const undone = pulled.size === 0 ? [] : await stopPulled(machine, record.id, pulled, work, decision);
  if (isLeaving && failures.length === 0) await changeOwner(machine, identity, 'leave');
  const looked = new Set(observations.map(({ unit }) => unit));
  const clean = [...decision.leaving].flatMap(([key, { unit, machine: id }]) =>
    id === record.id && (everything || looked.has(unit)) && !unwell.has(unit) ? [key] : [],
  );
  return { steps: [...todo, ...undone], done, failures, clean };
}

/** Stops what systemd started with other units although an operator had stopped it. */
async function stopPulled(
  machine: Machine,
  id: string,
  pulled: ReadonlySet<string>,
  work: Work,
  { files }: Decided['decision'],
): Promise<readonly Step[]> {
  const { observations } = await observe(machine, id, pulled, false);
  const assigned = [...pulled].flatMap((unit) => work.assignments.get(unit) ?? []);
  const todo = steps(assigned, observations, { files }).filter(({ action }) => action === 'stop');
  const ended = (): void => undefined;
  if (todo.length > 0)
    await carryOut(machine, { ...work, steps: todo, block: true, settles: [], isOver: () => false, ended });
  return todo;
}

/** Says what is wanted launched, does not run, and is not started. @returns errors for those that were asked for. */
function reportHeld(
  session: Session,
  record: MachineRecord,
  launched: readonly string[],
  observations: readonly Observation[],
  held: (unit: string) => string | undefined,
  asked: ReadonlySet<string> = new Set(),
): ClusterError[] {
  const running = new Set(
    observations.flatMap(({ unit, active }) =>
      active === 'active' || active === 'activating' ? [unit] : [],
    ),
  );
  const unmet = new Map(observations.flatMap(({ unit, unmet, why }) => (unmet ? [[unit, why]] : [])));
  return launched.flatMap((unit) => {
    if (unmet.has(unit) && !asked.has(unit) && held(unit) === undefined)
      session.emit({
        kind: 'held',
        unit,
        machine: nameOf(record),
        why: whyPassedOver(unit, unmet.get(unit)),
      });
    const why = running.has(unit) ? undefined : held(unit);
    if (why === undefined) return [];
    session.emit({ kind: 'held', unit, machine: nameOf(record), why });
    if (!asked.has(unit)) return [];
    return [
      new ClusterError('unit-held', `unit ${unit} is not started: ${why}`, { unit, machine: record.id }),
    ];
  });
}

/** Why a unit that the registry knows is not on a machine that is not assigned it. */
function whereElse({ units }: Decided['decision'], unit: string): string | undefined {
  const known = units.get(unit);
  if (known === undefined) return undefined;
  if (known.desired === 'inactive') return 'is inactive';
  return known.machine === null ? 'is on no machine' : `is on machine ${known.machine.slice(0, 8)}`;
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
