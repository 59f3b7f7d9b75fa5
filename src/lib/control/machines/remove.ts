import { ClusterError } from '../../error.ts';
import { uninstall } from '../../machine/index.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge, reportRefusals, UNTIL_DONE } from '../units/converge.ts';
import { isNotOurs } from '../units/owner.ts';
import { joinScopes, scopeOfLeaving, scopeOfUnits } from '../units/scope.ts';
import { type Decided, write } from '../units/write.ts';
import { refuseToLose } from './last-of-its-kind.ts';

export interface RemoveOptions {
  /** Although units are placed there. */
  readonly force: boolean;
  /** Leaves our program and its settings there. */
  readonly keepFiles: boolean;
}

/** How many units an error names before it only counts them. */
const NAMED = 3;

/**
 * Takes a machine out of the cluster and our units off it. Units that are placed there go elsewhere with `force`.
 * @throws `machine-in-use` without it, and those of `refuseToLose`; nothing is changed then.
 */
export async function removeMachine(
  session: Session,
  wanted: string,
  { force, keepFiles }: RemoveOptions,
): Promise<void> {
  const members = await refuseToLose(session, findMachine(await session.state({ toChange: true }), wanted));
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
  const here = [...state.units.values()].filter((unit) => unit.machine === id && unit.desired !== 'inactive');
  if (here.length === 0) return;
  const names = namesOf(here.map(({ name }) => name));
  throw new ClusterError(
    'machine-in-use',
    `${here.length === 1 ? '1 unit is' : `${here.length} units are`} placed on ${target.address}: ${names}`,
    {
      machine: target.address,
      hint: `cluster machine rm --force ${id.slice(0, 8)} places them elsewhere`,
    },
  );
}
