import { ClusterError } from '../../error.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import type { Rollout, RolloutStep } from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import { Reachability } from '../units/ask.ts';
import { converge, waitFor } from '../units/converge.ts';
import { scopeOfUnits } from '../units/scope.ts';
import { sizesNow, withSizes } from '../units/sizes.ts';
import { write } from '../units/write.ts';
import { type Ended, failureOf } from './ended.ts';
import { hearing } from './hearing.ts';
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
  const changes = steps.filter(({ action }) => action !== 'restart' && action !== 'move');
  await Promise.all([
    changes.length === 0 ? undefined : change(session, changes, carrying),
    restarts.length === 0 ? undefined : restart(session, restarts, carrying),
    ...moves.map(async (step) => carrying.ended(step, await leaveMachine(session, carrying, step))),
  ]);
}

async function change(session: Session, steps: readonly RolloutStep[], carrying: Carrying): Promise<void> {
  const byUnit = new Map(steps.map((step) => [step.unit, step]));
  const failed = new Map<string, Ended & { ok: false }>();
  const done = new Set<string>();
  const tell = (unit: string, how: Ended): void => {
    const step = byUnit.get(unit);
    if (step === undefined || done.has(unit)) return;
    done.add(unit);
    carrying.ended(step, how);
  };
  const again = new Map(
    steps.flatMap((step) => {
      const record = step.again ? carrying.runsAlready(step) : null;
      return record === null ? [] : [[step.unit, record] as const];
    }),
  );
  const quiet = hearing(session, (event) => {
    const failure = failureOf(event);
    for (const unit of failure?.units ?? []) failed.set(unit, { ok: false, ...failure! });
    if (event.kind === 'state' && !again.has(event.unit)) tell(event.unit, { ok: true });
    if (event.kind === 'failed') tell(event.unit, failed.get(event.unit)!);
    if (event.kind === 'problem' || event.kind === 'warning') session.emit(event);
  });

  const reachability = new Reachability(quiet);
  const intend = async (state: RegistryState) => {
    const intent = intentOf(state, steps, carrying.files);
    const sizes = await sizesNow(quiet, state, reachability, 'unknown', intent.files.values());
    return { intent: withSizes(intent, sizes), sources: carrying.sources, value: null };
  };
  const decided = await write(quiet, intend, { reachability });
  const units = new Set(byUnit.keys());
  const scope = scopeOfUnits(decided.before, decided.decision, units);
  const starting = steps.filter(({ version }) => version?.desired === 'launched').map(({ unit }) => unit);
  const waiting = { block: true, timeoutMs: carrying.timeoutMs, asked: new Set(starting) };
  const { silent } = await converge(quiet, decided, scope, waiting);
  for (const refusal of decided.decision.result.refusals)
    if (units.has(refusal.unit))
      failed.set(refusal.unit, { ok: false, why: 'cannot be placed on any machine', journal: [] });

  for (const { unit } of steps) {
    const machine =
      decided.decision.units.get(unit)?.machine ?? decided.before.units.get(unit)?.machine ?? null;
    const error = machine === null ? undefined : silent.get(machine);
    if (error !== undefined) failed.set(unit, { ok: false, why: error.message, journal: [] });
    const record = again.get(unit);
    if (record !== undefined && !failed.has(unit)) await startAnew(session, record, unit, carrying, failed);
    tell(unit, failed.get(unit) ?? { ok: true });
  }
}

function intentOf(state: RegistryState, steps: readonly RolloutStep[], files: ReadonlyMap<string, string>) {
  // What was destroyed meanwhile is not brought back.
  const mine = steps.filter(({ unit, action }) => action === 'switch' || state.units.has(unit));
  const needed = new Set(mine.flatMap(({ version }) => version?.hash ?? []));
  return {
    units: new Map(mine.map(({ unit, version }) => [unit, version])),
    files: new Map([...files].filter(([hash]) => needed.has(hash))),
  };
}

async function startAnew(
  session: Session,
  record: MachineRecord,
  unit: string,
  { timeoutMs }: Carrying,
  failed: Map<string, Ended & { ok: false }>,
): Promise<void> {
  const how = await restartOn(session, record, unit, timeoutMs);
  if (!how.ok) failed.set(unit, how);
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
