import { clearBit } from './bits.ts';
import { UnitFacts } from './facts.ts';
import type { ClusterState, Known, MachineView } from './model.ts';
import { followersOf } from './order.ts';
import { placedState } from './place.ts';
import { choose, partsOf, whyBetter } from './prefer/index.ts';
import { CPU, MEMORY } from './promised.ts';
import { ableMachines, openMachines } from './rules/apply.ts';
import { replacedAt } from './rules/replaces.ts';
import { snapshotOf } from './snapshot.ts';
import type { State } from './state.ts';
import type { Wanted } from './units.ts';

/** A unit that another machine would suit better than the one where it is. */
export interface Move {
  readonly unit: string;
  readonly from: string;
  readonly to: string;
  /** What is better there, for people. */
  readonly reason: string;
}

/** Each pass makes units better off, so that few are needed; the bound is for clusters in which they never settle. */
const PASSES = 8;

/**
 * The moves that the preferences of prefer/ would want now, in an order in which each of them is allowed when those
 * before it were made. A unit is named once. Not moved: units on machines that are away, units that have to be pushed
 * or that push others away, and those that MachineOf ties together. The state that it leads to wants no further move.
 */
export function rebalance(
  state: ClusterState,
  known: Known = {},
  facts: UnitFacts = new UnitFacts(),
): Move[] {
  const placed = placedState(snapshotOf(state.machines, state.units, state.files, known), facts);
  const followers = followersOf(placed.units.list);
  const movable = placed.order.sequence
    .map((index) => placed.unit(index))
    .filter((unit) => isMovable(placed, unit, followers.has(unit.index)));

  const moves = new Map<string, Move>();
  for (let pass = 0; pass < PASSES; pass++) {
    let moved = false;
    for (const unit of movable) {
      if (moves.has(unit.name)) continue;
      const move = betterPlace(placed, unit);
      if (move === null) continue;
      moves.set(unit.name, move);
      moved = true;
    }
    if (!moved) break;
  }
  return [...moves.values()];
}

function isMovable(state: State, unit: Wanted, isFollowed: boolean): boolean {
  const rank = state.at[unit.index] as number;
  // One that is not where it is recorded needs no rebalance: it moves with the next command.
  if (rank < 0 || unit.view.machine !== state.machines.id(rank)) return false;
  const machine = state.machines.list[rank] as MachineView;
  // Any machine of known size would look better than one of which nothing is known.
  const isUnknown = [MEMORY, CPU].some(
    (resource) => resource.of(unit) > 0 && resource.capacity(machine) === undefined,
  );
  return !machine.unreachable && !isUnknown && !isFollowed && unit.leaders.length === 0;
}

/** Moves the unit in `state` to the machine that suits it best; null where it is well placed. */
function betterPlace(state: State, unit: Wanted): Move | null {
  const here = state.at[unit.index] as number;
  state.remove(unit);
  const open = (openMachines(state, unit, ableMachines(state, unit)) ?? state.machines.all).slice();
  clearBit(open, here);
  const there = choose(state, unit, open);
  const better = there < 0 ? undefined : whyBetter(state, unit, here, there);
  if (better === undefined || replacedAt(state, unit, there).length > 0) {
    state.add(unit, here);
    return null;
  }

  const parts = partsOf(state, unit);
  const [was, is] = [parts(here), parts(there)];
  const gains = Object.keys(is).filter((name) => was[name] !== is[name] && name.startsWith(better.name));
  const reason = gains.map((name) => `${name} ${is[name]} instead of ${was[name]}`).join(', ');
  state.add(unit, there);
  return { unit: unit.name, from: state.machines.id(here), to: state.machines.id(there), reason };
}
