import { ClusterError, ClusterErrors, EXIT } from '../../error.ts';
import type { Machine } from '../../machine/index.ts';
import { diff } from '../../plan/index.ts';
import type { Assignment, Observation, Step } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { MachineName } from '../event.ts';
import type { Session } from '../session.ts';
import { carryOut } from './carry-out.ts';
import { type Decision, decide, type Intent } from './decide.ts';
import { withFinished } from './finished-oneshots.ts';
import { isGlobal } from './global.ts';
import { observe } from './observe.ts';

export interface ConvergeOptions {
  /** Wait for systemd's jobs; false: queue them and return. */
  readonly block: boolean;
  /** Give up waiting after so many milliseconds; 0 = never. */
  readonly timeoutMs: number;
  /** Also look at units that nobody named, on all machines or on this one. */
  readonly everything?: boolean;
  readonly only?: string;
  /** Less is wanted than before: that a unit has no machine is then nothing to tell. */
  readonly lowering?: boolean;
  /** Also wait for what is starting already, or is between two tries: whoever asks for a start wants to know. */
  readonly joins?: boolean;
  /** Return the steps and touch nothing. */
  readonly dryRun?: boolean;
}

export interface Converged {
  readonly decision: Decision;
  readonly steps: readonly Step[];
  /** Units with an error, already announced. */
  readonly failures: readonly ClusterError[];
}

/** How often a decision is made again when somebody else changed other units meanwhile. */
const RETRIES = 20;

/** Writes what an intent means and returns the decision that was written. */
export async function write(
  session: Session,
  intend: (state: RegistryState) => Promise<Intent> | Intent,
): Promise<{ before: RegistryState; decision: Decision }> {
  const registry = await session.registry();
  for (let attempt = 0; attempt < RETRIES; attempt++) {
    const before = attempt === 0 ? await session.state() : await registry.load();
    const decision = decide(before, await intend(before));
    if ((await registry.change(before, decision.change)) === 'done') return { before, decision };
    await new Promise((resolve) => setTimeout(resolve, 5 * attempt + Math.random() * 20));
  }
  throw new ClusterError('changed-meanwhile', 'somebody else keeps changing the cluster', {
    hint: 'try again in a moment',
    exit: EXIT.conflict,
  });
}

/** Makes machines what a decision says, for the units concerned, and reports per unit as it goes. */
export async function converge(
  session: Session,
  before: RegistryState,
  decision: Decision,
  concerned: ReadonlySet<string>,
  options: ConvergeOptions,
): Promise<Converged> {
  const targets = machinesConcerned(before, decision, concerned, options);
  const failures: ClusterError[] = [];
  for (const refusal of decision.result.refusals) {
    if (options.lowering || (!options.everything && !concerned.has(refusal.unit))) continue;
    session.emit({ kind: 'refused', unit: refusal.unit, reasons: refusal.reasons });
    failures.push(
      new ClusterError('unplaceable', `unit ${refusal.unit} cannot be placed`, { unit: refusal.unit }),
    );
  }
  const byId = [...targets].sort(([a], [b]) => (a.id < b.id ? -1 : 1));
  const steps = await Promise.all(
    byId.map(async ([record, units]): Promise<Step[]> => {
      try {
        const machine = await session.machine(record);
        return await convergeMachine(session, machine, record, units, decision, options, failures);
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        failures.push(error);
        session.emit({
          kind: 'unreachable',
          machine: nameOf(record),
          message: error.message,
          units: [...units],
          hint: error.hint,
        });
        return [];
      }
    }),
  );
  return { decision, steps: steps.flat(), failures };
}

async function convergeMachine(
  session: Session,
  machine: Machine,
  record: MachineRecord,
  units: ReadonlySet<string>,
  decision: Decision,
  options: ConvergeOptions,
  failures: ClusterError[],
): Promise<Step[]> {
  const everything = options.everything ?? false;
  const observations = await observe(machine, record.id, units, everything);
  const assigned = decision.assignments.filter(
    (item) => item.machine === record.id && (everything || units.has(item.unit)),
  );
  const seen = everything ? withFinished(observations, assigned, decision.files) : observations;
  const steps = [...diff(assigned, seen), ...(options.joins ? stillStarting(assigned, seen) : [])];
  for (const step of steps) session.emit({ kind: 'step', step, machine: nameOf(record) });
  if (options.dryRun) return steps;
  const assignments = new Map(assigned.map((item): [string, Assignment] => [item.unit, item]));
  const work = {
    steps,
    assignments,
    text: (hash: string) => decision.files.get(hash) ?? '',
    block: options.block,
  };
  const slow = steps.find((step) => step.action === 'start' || step.action === 'stop')?.unit ?? '';
  const outcomes = await within(carryOut(machine, work), options.timeoutMs, slow);
  const failed = new Set<string>();
  for (const outcome of outcomes) {
    if (['done', 'skipped', 'queued'].includes(outcome.result)) continue;
    failed.add(outcome.unit);
    const how = outcome.failure?.how ?? `job ${outcome.result}`;
    session.emit({
      kind: 'failed',
      unit: outcome.unit,
      machine: nameOf(record),
      how,
      journal: outcome.failure?.journal ?? [],
    });
    failures.push(
      new ClusterError('unit-failed', `unit ${outcome.unit} failed on ${record.target.address}: ${how}`, {
        unit: outcome.unit,
        machine: record.id,
      }),
    );
  }
  announce(session, record, steps, assignments, decision, failed, options.block);
  return steps;
}

/**
 * A start of these joins systemd's job and hears how it ends. A unit that waits for its next try is stopped first: its
 * start would wait with it.
 */
function stillStarting(assigned: readonly Assignment[], observations: readonly Observation[]): Step[] {
  const seen = new Map(observations.map((item) => [item.unit, item]));
  return assigned.flatMap(({ machine, unit, hash, desired }): Step[] => {
    const now = seen.get(unit);
    if (desired !== 'launched' || now?.active !== 'activating' || now.hash !== hash) return [];
    const start: Step = { machine, action: 'start', unit, reason: 'it is still starting' };
    return now.sub.startsWith('auto-restart') ? [{ ...start, action: 'stop' }, start] : [start];
  });
}

function announce(
  session: Session,
  record: MachineRecord,
  steps: readonly Step[],
  assignments: ReadonlyMap<string, Assignment>,
  decision: Decision,
  failed: ReadonlySet<string>,
  block: boolean,
): void {
  const seen = new Set<string>();
  for (const { unit } of steps) {
    if (unit === '' || seen.has(unit) || failed.has(unit)) continue;
    seen.add(unit);
    const assignment = assignments.get(unit);
    if (assignment === undefined || !block) continue;
    session.emit({
      kind: 'state',
      unit,
      state: assignment.desired,
      machine: nameOf(record),
      global: decision.globals.has(unit),
    });
  }
}

/** Which machines to talk to, and about which units: where a unit is, was, or (global) could have been. */
function machinesConcerned(
  before: RegistryState,
  decision: Decision,
  concerned: ReadonlySet<string>,
  options: ConvergeOptions,
): Map<MachineRecord, Set<string>> {
  const out = new Map<MachineRecord, Set<string>>();
  const add = (id: string | null, unit: string): void => {
    const record = id === null ? undefined : (decision.machines.get(id) ?? before.machines.get(id));
    if (record === undefined || (options.only !== undefined && record.id !== options.only)) return;
    const units = out.get(record) ?? new Set();
    out.set(record, units.add(unit));
  };
  const wanted = options.everything ? new Set([...concerned, ...decision.units.keys()]) : concerned;
  for (const unit of wanted) {
    const old = before.units.get(unit);
    add(old?.machine ?? null, unit);
    const global = decision.globals.has(unit) || isGlobal(before, unit) || isGlobal(decision, unit);
    if (global) for (const id of decision.machines.keys()) add(id, unit);
  }
  for (const item of decision.assignments) if (wanted.has(item.unit)) add(item.machine, item.unit);
  if (options.everything) {
    for (const record of decision.machines.values())
      if (!out.has(record) && (options.only === undefined || options.only === record.id))
        out.set(record, new Set());
  }
  return out;
}

/** Waits for work that concerns this unit at most so long, 0 = for ever. @throws ClusterError `wait-timeout`. */
export async function within<Value>(work: Promise<Value>, timeoutMs: number, unit: string): Promise<Value> {
  if (timeoutMs === 0) return work;
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new ClusterError('wait-timeout', `timed out waiting for unit ${unit} after ${timeoutMs / 1000} s`, {
            unit,
            hint: 'the request stands; cluster list-units shows how it goes, --block-attempts 0 waits as long as it takes',
          }),
        ),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

export function nameOf(record: MachineRecord): MachineName {
  return { id: record.id, address: record.target.address };
}

/** Throws what went wrong, all of it and already announced, when anything did. */
export function throwFailures(failures: readonly ClusterError[]): void {
  if (failures.length > 0) throw new ClusterErrors(failures, true);
}
