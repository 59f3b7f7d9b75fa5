import { ClusterError, EXIT } from '../../error.ts';
import { uninstall } from '../../machine/index.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, throwFailures } from '../report.ts';
import type { BeginOptions } from '../rollouts/begin.ts';
import { type DrainWishes, draftOfDrain } from '../rollouts/drain.ts';
import type { DriveOptions } from '../rollouts/drive.ts';
import { planRollout, type RolloutPlan } from '../rollouts/start.ts';
import type { Session } from '../session.ts';
import { converge, reportRefusals, UNTIL_DONE } from '../units/converge.ts';
import { isNotOurs } from '../units/owner.ts';
import { joinScopes, scopeOfLeaving, scopeOfUnits } from '../units/scope.ts';
import { type Decided, write } from '../units/write.ts';
import { rollDrain } from './drain.ts';
import { refuseToLose } from './last-of-its-kind.ts';

export interface RemoveOptions extends BeginOptions, DriveOptions {
  /** Does not drain the machine: its units are placed elsewhere at once, without waiting until they are healthy there. */
  readonly force: boolean;
  /** Leaves our program and its settings there. */
  readonly keepFiles: boolean;
}

/** What is taken off in the end takes global units along. */
const DRAIN: DrainWishes = { force: false, globals: false };

/** How many units an error names before it only counts them. */
const NAMED = 3;

/**
 * Takes a machine out of the cluster and our units off it. What is placed there leaves by a drain first, unless `force`.
 * @throws those of `refuseToLose`, of the drain, and the machine's own error when it has units and does not answer; nothing
 * is changed then.
 */
export async function removeMachine(session: Session, wanted: string, options: RemoveOptions): Promise<void> {
  const { force, keepFiles } = options;
  const state = await session.state({ toChange: true });
  const members = await refuseToLose(session, findMachine(state, wanted));
  const record = findMachine(state, wanted);
  if (!force && unitsOn(state, record).length > 0) {
    await answered(draftOfDrain(session, state, record, DRAIN), wanted);
    await rollDrain(session, wanted, DRAIN, options);
  }

  const decided = await write(session, (state) => {
    const machine = findMachine(state, wanted);
    if (!force) requireIdle(state, machine);
    return { intent: { machines: new Map([[machine.id, null]]) }, value: machine };
  });
  const { before, decision, value: removed } = decided;

  const scope = joinScopes(scopeOfLeaving(removed), scopeOfUnits(before, decision, decision.changed));
  const refused = reportRefusals(session, decided, (unit) => decision.changed.has(unit));
  const { failures, silent } = await converge(session, decided, scope, UNTIL_DONE);
  const why = silent.get(removed.id);
  if (why !== undefined) warnOfWhatStays(session, decided, removed, why);
  else if (!keepFiles && failures.length === 0) await uninstall(await session.machine(removed));
  for (const { id, name } of members) {
    const message = `etcd still counts its member ${name || id} there: etcdctl member remove ${id}`;
    session.emit({ kind: 'warning', message });
  }
  await (await session.locks()).release(new Set([removed.id]));
  await (await session.pool()).forget([removed.target]);
  session.emit({ kind: 'machine-removed', machine: nameOf(removed) });
  // A machine that is gone for good is taken out without its answer.
  throwFailures([...refused, ...failures.filter((error) => error !== why)]);
}

/** What `removeMachine` would do. @throws as it does; nothing is changed. */
export async function planRemoval(
  session: Session,
  wanted: string,
  options: RemoveOptions,
): Promise<RolloutPlan & { readonly removes: string }> {
  const state = await session.state();
  const record = findMachine(state, wanted);
  await refuseToLose(session, record);
  const removes = record.target.address;
  const none: RolloutPlan = { kind: 'drain', batches: [], notes: [] };
  const here = unitsOn(state, record);
  const globals = decide(state).assignments.filter(
    ({ unit, machine }) => machine === record.id && !here.includes(unit),
  );
  const last = globals.map(({ unit }) => `${unit} is stopped there in the end`);
  if (here.length === 0) return { ...none, removes, notes: last };
  if (options.force) {
    const note = `--force: ${here.join(', ')} are placed elsewhere without waiting until they are healthy there`;
    return { ...none, removes, notes: [note, ...last] };
  }
  const draft = await answered(draftOfDrain(session, state, record, DRAIN), wanted);
  const plan = await planRollout(session, draft, options);
  return { ...plan, removes, notes: [...plan.notes, ...draft.notes, ...last] };
}

/** @throws that a machine with units does not answer, with what to try. */
async function answered<Value>(work: Promise<Value>, wanted: string): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ClusterError) || error.exit !== EXIT.machine || error.code === 'drain-blocked')
      throw error;
    throw new ClusterError(error.code, error.message, {
      ...error.place,
      hint: `units are placed there, and it cannot be drained: cluster machine rm --force ${wanted} places them elsewhere; nothing was changed`,
      exit: error.exit,
    });
  }
}

const unitsOn = (state: RegistryState, { id }: Pick<MachineRecord, 'id'>): string[] =>
  [...state.units.values()]
    .filter(({ machine, desired }) => machine === id && desired !== 'inactive')
    .map(({ name }) => name)
    .sort();

/** A machine that did not answer, or is not ours to change, keeps what it has. */
function warnOfWhatStays(
  session: Session,
  { before }: Decided,
  { id, target }: MachineRecord,
  why: ClusterError,
): void {
  if (isNotOurs(why)) {
    const message = `${target.address} is no machine of this registry any more: nothing was changed there`;
    session.emit({ kind: 'warning', message });
    return;
  }
  const here = decide(before).assignments.filter(({ machine }) => machine === id);
  const units = here.length === 0 ? '' : `, and runs on: ${namesOf(here.map(({ unit }) => unit))}`;
  const message = `${target.address} did not answer: what cluster installed there stays${units}; once it is back, machine add and machine rm take it off`;
  session.emit({ kind: 'warning', message });
}

function namesOf(units: readonly string[]): string {
  return `${units.slice(0, NAMED).join(', ')}${units.length > NAMED ? ', ...' : ''}`;
}

function requireIdle(state: RegistryState, { id, target }: MachineRecord): void {
  const here = unitsOn(state, { id });
  if (here.length === 0) return;
  const names = namesOf(here);
  throw new ClusterError(
    'machine-in-use',
    `${here.length === 1 ? '1 unit has' : `${here.length} units have`} come to ${target.address} meanwhile: ${names}`,
    {
      machine: target.address,
      hint: `cluster machine rm ${id.slice(0, 8)} drains it again`,
    },
  );
}
