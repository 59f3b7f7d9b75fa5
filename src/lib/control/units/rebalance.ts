import type { ClusterError } from '../../error.ts';
import { type Move, rebalance as movesOf } from '../../plan/index.ts';
import type { RegistryState } from '../../registry/index.ts';
import type { Session } from '../session.ts';
import { Reachability } from './ask.ts';
import { moveUnit } from './move.ts';
import { sizesNow, withSizes } from './sizes.ts';
import { preview, warnOfPassedOver, write } from './write.ts';

export interface Rebalanced {
  /** The moves that were wanted at the beginning, in their order. */
  readonly moves: readonly Move[];
  /** Of these, how many were made. */
  readonly done: number;
  /** What went wrong, already reported but for errors that stopped everything. */
  readonly failures: readonly ClusterError[];
}

/**
 * Makes the moves that the preferences of units want now, one unit at a time, and none after one that failed. A dry run
 * finds them only.
 */
export async function rebalance(session: Session, dryRun: boolean): Promise<Rebalanced> {
  const reachability = new Reachability(session);
  const decided = await (dryRun ? preview : write)(
    session,
    (state) => intendRebalance(session, state, reachability),
    { reachability, everywhere: true },
  );
  warnOfPassedOver(session, decided);
  const moves = decided.value;
  let done = 0;
  if (dryRun) return { moves, done, failures: [] };

  for (const move of moves) {
    const failures = await moveUnit(session, move, reachability);
    if (failures.length > 0) return { moves, done, failures };
    done++;
  }
  return { moves, done, failures: [] };
}

/** The moves rest on what machines have now, and on which of them answer. */
async function intendRebalance(session: Session, state: RegistryState, reachability: Reachability) {
  await reachability.ask(state.machines.values(), state.identity);
  const sizes = await sizesNow(session, state, reachability, 'all');
  const machines = new Map([...state.machines, ...sizes]);
  return { intent: withSizes({}, sizes), value: movesOf({ ...state, machines }, reachability) };
}
