import { ClusterError } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { UnitWish } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { Rollout, RolloutStep, Version } from '../../rollout/index.ts';
import type { Event } from '../event.ts';
import type { Session } from '../session.ts';
import { Reachability } from '../units/ask.ts';
import { converge, waitFor } from '../units/converge.ts';
import { joinScopes, type Scope, scopeOfUnits, scopeOnMachine } from '../units/scope.ts';
import { sizesNow, withSizes } from '../units/sizes.ts';
import { type Decided, write } from '../units/write.ts';
import type { Ended } from './ended.ts';
import { hearing } from './hearing.ts';
import { changeMachine } from './machine-steps.ts';
import { leaveMachine } from './move.ts';

export interface Carrying {
  readonly rollout: Rollout;
  /** Id of the lease that the driver holds. */
  readonly lease: string;
  readonly steps: readonly RolloutStep[];
  /** Text of every file that may be written, by hash. */
  readonly files: ReadonlyMap<string, string>;
  /** Paths that files come from, by hash, where this process read them. */
  readonly sources: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  /** What runs with the right file already and is to be started anew. */
  readonly runsAlready: (step: RolloutStep) => MachineRecord | null;
  /** Hears of each step once. */
  readonly ended: (step: RolloutStep, how: Ended) => void;
}

/**
 * Carries out the steps of one batch together: one write and one round over the machines, as `start` does. A step of
 * which nothing is heard is neither ended nor failed: it is taken again.
 */
export async function carry(session: Session, carrying: Carrying): Promise<void> {
  const { steps } = carrying;
  const restarts = steps.filter(({ action }) => action === 'restart');
  const moves = steps.filter(({ action }) => action === 'move');
  const machines = steps.filter(({ action }) => action === 'reboot' || action === 'update');
  const changes = steps.filter(({ action }) => action === 'switch' || action === 'remove');
  await Promise.all([
    machines.length === 0 ? undefined : changeMachines(session, machines, carrying),
    changes.length === 0 ? undefined : change(session, changes, carrying),
    restarts.length === 0 ? undefined : restart(session, restarts, carrying),
    ...moves.map(async (step) => carrying.ended(step, await leaveMachine(session, carrying, step))),
  ]);
}

async function change(session: Session, steps: readonly RolloutStep[], carrying: Carrying): Promise<void> {
  const left = new Set(steps);
  const failed = new Map<RolloutStep, Ended & { ok: false }>();
  const of = (unit: string, machine: string | null): RolloutStep[] =>
    steps.filter((step) => step.unit === unit && (step.machine === null || step.machine === machine));
  const tell = (step: RolloutStep, how: Ended): void => {
    if (left.delete(step)) carrying.ended(step, how);
  };
  const again = new Map(
    steps.flatMap((step) => {
      const record = step.again ? carrying.runsAlready(step) : null;
      return record === null ? [] : [[step, record] as const];
    }),
  );
  const quiet = hearing(session, (event) => {
    const failure = failureOf(event);
    if (failure !== null)
      for (const step of of(failure.unit, failure.machine)) failed.set(step, { ok: false, ...failure });
    if (event.kind === 'state')
      for (const step of of(event.unit, event.machine.id)) if (!again.has(step)) tell(step, { ok: true });
    if (event.kind === 'failed')
      for (const step of of(event.unit, event.machine.id)) tell(step, failed.get(step)!);
    if (event.kind === 'problem' || event.kind === 'warning') session.emit(event);
  });

  const reachability = new Reachability(quiet);
  const intend = async (state: RegistryState) => {
    const intent = intentOf(state, steps, carrying.files);
    const sizes = await sizesNow(quiet, state, reachability, 'unknown', intent.files.values());
    return { intent: withSizes(intent, sizes), sources: carrying.sources, value: null };
  };
  const decided = await write(quiet, intend, { reachability });
  const scope = scopeOfSteps(decided, steps);
  const starting = steps.filter(({ version }) => version?.desired === 'launched').map(({ unit }) => unit);
  const waiting = { block: true, timeoutMs: carrying.timeoutMs, asked: new Set(starting) };
  const { silent } = await converge(quiet, decided, scope, waiting);
  for (const { unit } of decided.decision.result.refusals)
    for (const step of of(unit, null))
      failed.set(step, { ok: false, why: 'cannot be placed on any machine', journal: [] });

  for (const step of steps) {
    const { unit } = step;
    const placed = decided.decision.units.get(unit)?.machine ?? decided.before.units.get(unit)?.machine;
    const error = silent.get(step.machine ?? placed ?? '');
    if (error !== undefined) failed.set(step, { ok: false, why: error.message, journal: [] });
    const record = again.get(step);
    if (record !== undefined && !failed.has(step)) {
      const how = await restartOn(session, record, unit, carrying.timeoutMs);
      if (!how.ok) failed.set(step, how);
    }
    tell(step, failed.get(step) ?? { ok: true });
  }
}

/** The machines of the steps; all machines for a global unit whose file is the same everywhere from now on. */
function scopeOfSteps({ before, decision }: Decided, steps: readonly RolloutStep[]): Scope {
  const isPartial = ({ unit, machine, version }: RolloutStep): boolean =>
    machine !== null &&
    (version === null || decision.units.get(unit)?.hashes !== undefined || !before.units.has(unit));
  const partial = steps.filter(isPartial);
  const whole = new Set(steps.filter((step) => !isPartial(step)).map(({ unit }) => unit));
  return partial.reduce(
    (scope, { unit, machine }) => {
      const record = decision.machines.get(machine ?? '');
      return record === undefined ? scope : joinScopes(scope, scopeOnMachine(record, [unit]));
    },
    scopeOfUnits(before, decision, whole),
  );
}

function intentOf(state: RegistryState, steps: readonly RolloutStep[], files: ReadonlyMap<string, string>) {
  // What was destroyed meanwhile is not brought back.
  const mine = steps.filter(({ unit, action }) => action === 'switch' || state.units.has(unit));
  const units = new Map<string, UnitWish | null>();
  for (const { unit, machine, version } of mine) {
    const known = units.get(unit) ?? state.units.get(unit);
    units.set(
      unit,
      machine === null || version === null || known === undefined
        ? version
        : wishOn(state, known, unit, machine, version),
    );
  }
  const needed = new Set(mine.flatMap(({ version }) => version?.hash ?? []));
  return { units, files: new Map([...files].filter(([hash]) => needed.has(hash))) };
}

/** A global unit that has this file on one machine more; where all have the same, the unit has it. */
function wishOn(
  state: RegistryState,
  known: UnitWish,
  unit: string,
  machine: string,
  { hash, desired }: Version,
): UnitWish {
  const hashes = { ...known.hashes, [machine]: hash };
  const machines = decide(state)
    .assignments.filter((one) => one.unit === unit)
    .map((one) => one.machine);
  const isEverywhere = machines.every((id) => (hashes[id] ?? known.hash) === hash);
  return isEverywhere ? { hash, desired, hashes: {} } : { hash: known.hash, desired, hashes };
}

interface Failure {
  readonly unit: string;
  readonly machine: string;
  readonly why: string;
  readonly journal: readonly string[];
}

function failureOf(event: Event): Failure | null {
  if (event.kind !== 'failed' && event.kind !== 'held') return null;
  const { unit, machine } = event;
  if (event.kind === 'held')
    return { unit, machine: machine.id, why: `is not started: ${event.why}`, journal: [] };
  return { unit, machine: machine.id, why: `failed: ${event.how}`, journal: event.journal };
}

/** systemd's own restart of each unit on its machine. */
async function restart(session: Session, steps: readonly RolloutStep[], carrying: Carrying): Promise<void> {
  const state = await (await session.registry()).load();
  await Promise.all(
    steps.map(async (step) => {
      const id = step.machine ?? state.units.get(step.unit)?.machine ?? '';
      const record = state.machines.get(id);
      if (record === undefined)
        return carrying.ended(step, { ok: false, why: 'is on no machine', journal: [] });
      carrying.ended(step, await restartOn(session, record, step.unit, carrying.timeoutMs));
    }),
  );
}

/** Reboots and updates, machine by machine, side by side. */
async function changeMachines(
  session: Session,
  steps: readonly RolloutStep[],
  { rollout, timeoutMs, ended }: Carrying,
): Promise<void> {
  const { machines } = await (await session.registry()).load();
  await Promise.all(
    steps.map(async (step) => {
      const record = machines.get(step.machine ?? '');
      if (record === undefined) return ended(step, { ok: false, why: 'was removed', journal: [] });
      ended(step, await changeMachine(session, record, rollout, step, timeoutMs));
    }),
  );
}

async function restartOn(
  session: Session,
  record: MachineRecord,
  unit: string,
  timeoutMs: number,
): Promise<Ended> {
  try {
    const machine = await session.machine(record);
    const [outcome] = await waitFor(machine.restart([unit], true), timeoutMs, unit);
    if (outcome === undefined || ['done', 'skipped'].includes(outcome.result)) return { ok: true };
    const { failure, result } = outcome;
    return { ok: false, why: `failed: ${failure?.how ?? `job ${result}`}`, journal: failure?.journal ?? [] };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { ok: false, why: error.message, journal: [] };
  }
}
