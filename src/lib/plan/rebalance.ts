import { clearBit, hasBit, ranksOf } from './bits.ts';
import { UnitFacts } from './facts.ts';
import type { ClusterState, Known, MachineView, Snapshot, UnitView } from './model.ts';
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
 * before it were made. A unit moves once, so that in rare cases the next run finds a move that this one made better.
 * Not moved: units on machines that are away, units that push others away, and those that MachineOf ties together.
 */
export function rebalance(
  state: ClusterState,
  known: Known = {},
  facts: UnitFacts = new UnitFacts(),
): Move[] {
  const snapshot = snapshotOf(state.machines, state.units, state.files, known);
  let placed = placedState(snapshot, facts);
  const followers = followersOf(placed.units.list);
  const movable = placed.order.sequence.filter((index) =>
    isMovable(placed, placed.unit(index), followers.has(index)),
  );

  const moves = new Map<number, Move>();
  for (let pass = 0; pass < PASSES; pass++) {
    const before = moves.size;
    for (const index of movable) {
      if (moves.has(index)) continue;
      const move = betterPlace(placed, placed.unit(index));
      if (move === null) continue;
      moves.set(index, move);
      // What the unit leaves may be what one without a machine waits for, or a global one that is not on all of them.
      if (hasWaiting(placed)) placed = placedState(asPlaced(snapshot, placed), facts);
    }
    if (moves.size === before) break;
  }
  return [...moves.values()];
}

function hasWaiting({ at, order, globalAt, machines }: State): boolean {
  if (order.sequence.some((index) => (at[index] as number) < 0)) return true;
  return [...globalAt.values()].some((bits) => ranksOf(bits).length < machines.size);
}

function asPlaced(snapshot: Snapshot, { at, units, machines }: State): Snapshot {
  const ranks = new Map(units.list.map(({ name, index }) => [name, at[index] as number]));
  const view = (unit: UnitView): UnitView => {
    const rank = ranks.get(unit.name) ?? -1;
    return { ...unit, machine: rank < 0 ? null : machines.id(rank) };
  };
  return { ...snapshot, units: snapshot.units.map(view) };
}

/** Whether a unit is still where the move takes it from, and no rule keeps it from where the move takes it to. */
export function mayMove(
  state: ClusterState,
  { unit: name, from, to }: Move,
  known: Known = {},
  facts: UnitFacts = new UnitFacts(),
): boolean {
  const placed = placedState(snapshotOf(state.machines, state.units, state.files, known), facts);
  const unit = placed.units.list.find((one) => one.name === name);
  const there = placed.machines.rank(to);
  if (unit === undefined || there < 0 || (placed.at[unit.index] as number) !== placed.machines.rank(from))
    return false;
  if (!isMovable(placed, unit, followersOf(placed.units.list).has(unit.index))) return false;
  placed.remove(unit);
  const open = openMachines(placed, unit, ableMachines(placed, unit));
  return (open === null || hasBit(open, there)) && replacedAt(placed, unit, there).length === 0;
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
