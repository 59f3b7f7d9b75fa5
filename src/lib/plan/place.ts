import { UnitFacts } from './facts.ts';
import { MachineTable } from './machines.ts';
import type { PlacementResult, Snapshot } from './model.ts';
import { followersOf, orderUnits } from './order.ts';
import { choose, firstByScore, PREFERENCES, winnerFor } from './prefer/index.ts';
import { type PlannedMove, resultOf } from './result.ts';
import { ableMachines, openMachines, whyNotStay } from './rules/apply.ts';
import { RULES } from './rules/index.ts';
import { leads, machineOf } from './rules/machine-of.ts';
import { replacedAt } from './rules/replaces.ts';
import { type Setting, State } from './state.ts';
import { type Wanted, wantedUnits } from './units.ts';

/** Replacing settles in one or two rounds; the bound is for units that push each other away endlessly. */
const ROUNDS = 32;

/** Rules and preferences may share an index. */
const INDEXES = [...new Set([...RULES, ...PREFERENCES].flatMap(({ indexes = [] }) => indexes))];

/** What one planning run keeps over its rounds. */
interface Run extends Setting {
  readonly followers: ReadonlyMap<number, readonly number[]>;
  readonly moves: PlannedMove;
  /** How many more scores may be noted. */
  scoresLeft: number;
}

export interface PlaceOptions {
  /** Note how machines were ranked for the units that are placed anew, the first `MAX_SCORED` of them. */
  readonly scores?: boolean;
}

/** Ranking every machine for a hundred thousand units would take minutes, and nobody would read it. */
const MAX_SCORED = 1000;

/**
 * Places every unit that is wanted loaded or launched, by the rules of rules/ and then by the preferences of prefer/,
 * until nothing changes any more. The same snapshot gives the same answer in whatever order its machines and units
 * are listed; giving the answer back as the next snapshot changes nothing. Exclusions of a refusal are computed when
 * they are read.
 */
export function place(
  snapshot: Snapshot,
  facts: UnitFacts = new UnitFacts(),
  { scores = false }: PlaceOptions = {},
): PlacementResult {
  const run = runOf(snapshot, facts, scores ? MAX_SCORED : 0);
  return resultOf(settle(run), run.moves);
}

/** Everything where it is to be, as `place` has it in the end. */
export const placedState = (snapshot: Snapshot, facts: UnitFacts): State => settle(runOf(snapshot, facts, 0));

function settle(run: Run): State {
  let current = placesOf(run);
  for (let round = 1; ; round++) {
    const { state, replaced } = oneRound(run, current, round < ROUNDS);
    if (!replaced) return state;
    current = state.at.slice();
  }
}

function runOf(snapshot: Snapshot, facts: UnitFacts, scoresLeft: number): Run {
  const machines = new MachineTable(snapshot.machines);
  const units = wantedUnits(snapshot.units, facts);
  return {
    machines,
    units,
    order: orderUnits(units),
    indexes: INDEXES,
    followers: followersOf(units.list),
    moves: { left: new Map(), came: new Map(), scores: new Map() },
    scoresLeft,
  };
}

/** Ranks of the machines where units are now; -1 = nowhere. */
function placesOf({ machines, units, moves }: Run): Int32Array {
  const current = new Int32Array(units.list.length).fill(-1);
  for (const unit of units.list) {
    const { machine } = unit.view;
    if (unit.global || machine === null) continue;
    const rank = machines.rank(machine);
    current[unit.index] = rank;
    if (rank < 0) moves.left.set(unit.index, `machine ${machine} went away`);
  }
  return current;
}

/** Keeps what may stay, then places the others one by one; `replaced` = some units were pushed away for it. */
function oneRound(run: Run, current: Int32Array, mayReplace: boolean) {
  const state = keepValid(run, current, mayReplace);
  state.loads.build();
  let replaced = false;
  for (const index of run.order.sequence) {
    if ((state.at[index] as number) >= 0) continue;
    const unit = state.unit(index);
    const able = ableMachines(state, unit);
    const open = openMachines(state, unit, able) ?? state.machines.all;
    const rank = choose(state, unit, open);
    if (rank < 0) continue;
    if (run.scoresLeft > 0) {
      run.scoresLeft--;
      run.moves.scores.set(index, firstByScore(state, unit, open));
    }
    for (const other of replacedAt(state, unit, rank)) {
      replaced = true;
      pushAway(run, state, other, `pushed from ${run.machines.id(rank)} by ${unit.name}`);
    }
    state.add(unit, rank);
    run.moves.came.set(index, whyHere(unit, able === null));
  }
  return { state, replaced };
}

/** Leaves every unit where it is that may stay there, and decides the global units around them. */
function keepValid(run: Run, current: Int32Array, mayReplace: boolean): State {
  const { units, order, moves } = run;
  const gone = new Set<number>();
  const ledByGlobal = order.sequence.filter((i) =>
    units.list[i]?.leaders.some((leader) => units.list[leader]?.global),
  );
  for (;;) {
    const state = new State(run, mayReplace);
    assumeGlobals(state);
    for (const index of order.sequence) {
      const rank = current[index] as number;
      if (rank < 0 || gone.has(index)) continue;
      const unit = state.unit(index);
      const why = whyNotStay(state, unit, rank);
      if (why === null) state.add(unit, rank);
      else moves.left.set(index, whyLeft(state, unit, rank));
    }
    decideGlobals(state);

    // A follower was left in place on the assumption that its global leader qualifies; where it does not, start over.
    const orphans = ledByGlobal.filter((index) => {
      const rank = state.at[index] as number;
      return rank >= 0 && state.unit(index).leaders.some((leader) => !leads(state, leader, rank));
    });
    if (orphans.length === 0) return state;
    for (const index of orphans) {
      gone.add(index);
      moves.left.set(index, whyLeft(state, state.unit(index), state.at[index] as number));
    }
  }
}

/** Global units are taken to be wherever they qualify, as long as it is not known who is there already. */
function assumeGlobals(state: State): void {
  for (const unit of state.units.list)
    if (unit.global) state.globalAt.set(unit.index, machinesForGlobal(state, unit));
}

/** Decides every global unit, by name: it is on each machine where no rule excludes it. */
function decideGlobals(state: State): void {
  state.globalAt.clear();
  for (const unit of state.units.list) if (unit.global) state.addGlobal(unit, machinesForGlobal(state, unit));
}

const machinesForGlobal = (state: State, unit: Wanted) =>
  openMachines(state, unit, ableMachines(state, unit)) ?? state.machines.all;

/** Takes a unit off its machine, and its followers with it: they are decided later in the same round. */
function pushAway(run: Run, state: State, unit: Wanted, why: string): void {
  if ((state.at[unit.index] as number) < 0) return;
  state.remove(unit);
  run.moves.left.set(unit.index, why);
  for (const follower of run.followers.get(unit.index) ?? []) {
    pushAway(run, state, state.unit(follower), `follows ${unit.name}`);
  }
}

function whyLeft(state: State, unit: Wanted, rank: number): string {
  const why = whyNotStay(state, unit, rank);
  const missing = unit.leaders.find((leader) => !leads(state, leader, rank)) ?? -1;
  // The leader has only left so far; where it goes is decided later.
  const moving = why?.rule === machineOf.name && missing >= 0 && !state.unit(missing).global;
  if (moving) return `follows ${state.unit(missing).name}`;
  return `${state.machines.id(rank)} can no longer run it: ${why?.detail}`;
}

function whyHere(unit: Wanted, anywhere: boolean): string {
  const { machineOf: leaders, machineId } = unit.wants.requirements;
  if (leaders.length > 0) return `next to ${leaders.join(', ')}`;
  if (machineId !== null) return 'the machine that MachineID names';
  const winner = winnerFor(unit);
  return anywhere ? winner : `${winner} that can run it`;
}
