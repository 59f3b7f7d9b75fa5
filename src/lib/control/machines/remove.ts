import { ClusterError } from '../../error.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import { nameOf, throwFailures } from '../report.ts';
import type { Session } from '../session.ts';
import { converge, reportRefusals, UNTIL_DONE } from '../units/converge.ts';
import { joinScopes, scopeOfLeaving, scopeOfUnits } from '../units/scope.ts';
import { write } from '../units/write.ts';

/** How many units an error names before it only counts them. */
const NAMED = 3;

/**
 * Takes a machine out of the cluster and our units off it. Units that are placed there go elsewhere with `force`.
 * @throws `machine-in-use` without it; nothing is changed then.
 */
export async function removeMachine(session: Session, wanted: string, force: boolean): Promise<void> {
  const decided = await write(session, (state) => {
    const machine = findMachine(state, wanted);
    if (!force) requireIdle(state, machine);
    return { intent: { machines: new Map([[machine.id, null]]) }, value: machine };
  });
  const { before, decision, value: removed } = decided;

  const scope = joinScopes(scopeOfLeaving(removed), scopeOfUnits(before, decision, decision.changed));
  const refused = reportRefusals(session, decided, (unit) => decision.changed.has(unit));
  const { failures, silent } = await converge(session, decided, scope, UNTIL_DONE);
  await (await session.pool()).forget([removed.target]);
  session.emit({ kind: 'machine-removed', machine: nameOf(removed) });
  // A machine that is gone for good is taken out without its answer.
  throwFailures([...refused, ...failures.filter((error) => error !== silent.get(removed.id))]);
}

function requireIdle(state: RegistryState, { id, target }: MachineRecord): void {
  const here = [...state.units.values()].filter((unit) => unit.machine === id && unit.desired !== 'inactive');
  if (here.length === 0) return;
  const names = here.slice(0, NAMED).map(({ name }) => name);
  const more = here.length > NAMED ? ', ...' : '';
  throw new ClusterError(
    'machine-in-use',
    `${here.length === 1 ? '1 unit is' : `${here.length} units are`} placed on ${target.address}: ${names.join(', ')}${more}`,
    {
      machine: target.address,
      hint: `cluster machine rm --force ${id.slice(0, 8)} places them elsewhere`,
    },
  );
}
