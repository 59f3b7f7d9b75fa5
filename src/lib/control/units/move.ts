import { ClusterError, EXIT } from '../../error.ts';
import { type Move, mayMove } from '../../plan/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';
import type { Reachability } from './ask.ts';
import { converge, UNTIL_DONE } from './converge.ts';
import { joinScopes, type Scope, scopeOfUnits, scopeOnMachine } from './scope.ts';
import { write } from './write.ts';

/**
 * Takes a unit to another machine, elsewhere first: it is stopped where it was once it runs where it goes. Where it does
 * not start, it stays where it was. @returns what went wrong, already reported.
 * @throws `changed-meanwhile` when the unit or its machines are no longer what the move was planned for.
 */
export async function moveUnit(
  session: Session,
  move: Move,
  reachability: Reachability,
): Promise<readonly ClusterError[]> {
  const { unit, from, to, reason } = move;
  const there = await relocate(session, move, reachability, true);
  const { before, decision } = there;
  const others = new Set([...decision.changed].filter((name) => name !== unit));
  const target = joinScopes(scopeOn(decision.machines, to, unit), scopeOfUnits(before, decision, others));
  const asked = new Set([unit]);
  const { failures } = await converge(session, there, target, { ...UNTIL_DONE, asked });
  if (failures.some(({ place }) => place.unit === unit || place.unit === undefined)) {
    const back: Move = { unit, from: to, to: from, reason: 'it did not start elsewhere' };
    session.emit({ kind: 'warning', message: `${unit} stays where it was: it did not start elsewhere` });
    const again = await relocate(session, back, reachability, false);
    const scope = scopeOfUnits(again.before, again.decision, asked);
    const undone = await converge(session, again, scope, UNTIL_DONE);
    return [...failures, ...undone.failures];
  }

  const left = await converge(session, there, scopeOn(decision.machines, from, unit), UNTIL_DONE);
  const [source, goal] = [from, to].map((id) => decision.machines.get(id));
  if (left.failures.length === 0 && source !== undefined && goal !== undefined)
    session.emit({ kind: 'moved', unit, from: nameOf(source), to: nameOf(goal), reason });
  return [...failures, ...left.failures];
}

/** Records that the unit belongs to the other machine now; `check`: only where it may come there. */
function relocate(session: Session, move: Move, reachability: Reachability, check: boolean) {
  const { unit, to: machine, reason } = move;
  return write(
    session,
    (state) => {
      if (check && !mayMove(state, move, reachability))
        throw new ClusterError('changed-meanwhile', `unit ${unit} can no longer move as planned`, {
          unit,
          exit: EXIT.conflict,
          hint: 'look again: cluster rebalance --dry-run',
        });
      return { intent: { moves: new Map([[unit, { machine, reason }]]) }, value: null };
    },
    { reachability },
  );
}

function scopeOn(machines: ReadonlyMap<string, MachineRecord>, id: string, unit: string): Scope {
  const machine = machines.get(id);
  return machine === undefined ? new Map() : scopeOnMachine(machine, [unit]);
}
