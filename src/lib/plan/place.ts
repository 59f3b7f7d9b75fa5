import { hasBit } from './bits.ts';
import { explain, explainNew } from './explain.ts';
import { UnitFacts } from './facts.ts';
import { MachineTable } from './machines.ts';
import type { Exclusion, GlobalPlacement, Placement, PlacementResult, Refusal, Snapshot } from './model.ts';
import { followersOf, type Order, orderUnits } from './order.ts';
import { State } from './state.ts';
import { type Wanted, type WantedUnits, wantedUnits } from './units.ts';

/** Replacing settles in one or two rounds; the bound is for rules that chase each other for ever. */
const ROUNDS = 32;

/** What one planning run keeps over its rounds. */
interface Run {
  readonly machines: MachineTable;
  readonly units: WantedUnits;
  readonly order: Order;
  readonly followers: ReadonlyMap<number, readonly number[]>;
  /** Why a unit is no longer where it was. */
  readonly left: Map<number, string>;
  /** Why a unit came where it is. */
  readonly came: Map<number, string>;
}

/**
 * Places every unit that is wanted loaded or launched, by fleet's rules, until nothing changes any more. The same
 * snapshot gives the same answer in whatever order its machines and units are listed; giving the answer back as the
 * next snapshot changes nothing. Exclusions of a refusal are computed when they are read.
 */
export function place(snapshot: Snapshot, facts: UnitFacts = new UnitFacts()): PlacementResult {
  const machines = new MachineTable(snapshot.machines);
  const units = wantedUnits(snapshot.units, facts);
  const run: Run = {
    machines,
    units,
    order: orderUnits(units),
    followers: followersOf(units.list),
    left: new Map(),
    came: new Map(),
  };
  let current = new Int32Array(units.list.length).fill(-1);
  for (const unit of units.list) {
    const { machine } = unit.view;
    if (unit.global || machine === null) continue;
    const rank = machines.rank(machine);
    current[unit.index] = rank;
    if (rank < 0) run.left.set(unit.index, `machine ${machine} went away`);
  }
  for (let round = 1; ; round++) {
    const { state, replaced } = oneRound(run, current, round < ROUNDS);
    if (!replaced) return resultOf(run, state);
    current = state.at.slice();
  }
}

function oneRound(run: Run, current: Int32Array, mayReplace: boolean) {
  const state = keepValid(run, current);
  state.loads.build();
  let replaced = false;
  for (const index of run.order.sequence) {
    if ((state.at[index] as number) >= 0) continue;
    const unit = state.unit(index);
    const rank = findMachine(state, unit, mayReplace);
    if (rank < 0) continue;
    for (const other of state.replacedAt(unit, rank)) {
      replaced = true;
      pushAway(run, state, other, `pushed from ${run.machines.id(rank)} by ${unit.name}`);
    }
    state.add(unit, rank);
    run.came.set(index, whyHere(state, unit));
  }
  return { state, replaced };
}

/** Leaves every unit where it is that may stay there, and settles the global units around them. */
function keepValid(run: Run, current: Int32Array): State {
  const { machines, units, order } = run;
  const gone = new Set<number>();
  const ledByGlobal = order.sequence.filter((i) =>
    units.list[i]?.leaders.some((leader) => units.list[leader]?.global),
  );
  for (;;) {
    const state = new State(machines, units, order);
    state.assumeGlobals();
    for (const index of order.sequence) {
      const rank = current[index] as number;
      if (rank < 0 || gone.has(index)) continue;
      const unit = state.unit(index);
      if (state.fits(unit, rank)) state.add(unit, rank);
      else run.left.set(index, whyLeft(state, unit, rank));
    }
    state.settleGlobals();
    // A follower was let stay on the assumption that its global leader qualifies; where it does not, decide again.
    const orphans = ledByGlobal.filter((index) => {
      const rank = state.at[index] as number;
      return rank >= 0 && state.unit(index).leaders.some((leader) => !state.leads(leader, rank));
    });
    if (orphans.length === 0) return state;
    for (const index of orphans) {
      const rank = state.at[index] as number;
      gone.add(index);
      run.left.set(index, whyLeft(state, state.unit(index), rank));
    }
  }
}

function findMachine(state: State, unit: Wanted, mayReplace: boolean): number {
  if (state.order.circular[unit.index] === 1) return -1;
  const { open } = state.machines;
  const allowed = (rank: number): boolean =>
    hasBit(open, rank) && state.fits(unit, rank) && (mayReplace || state.replacedAt(unit, rank).length === 0);
  const { machineId } = unit.wants.requirements;
  if (unit.leaders.length > 0) return state.loads.leastOf(besideLeaders(state, unit).filter(allowed));
  if (machineId !== null) return state.loads.leastOf(state.machines.answering(machineId).filter(allowed));
  if (isPlain(state, unit)) return state.loads.least(open, false);
  const candidates = state.candidates(unit, open);
  if (mayReplace || unit.wants.replaces.length === 0) return state.loads.least(candidates, true);
  const ranks = state.machines.list.map((_, rank) => rank);
  return state.loads.leastOf(ranks.filter(allowed));
}

const isPlain = (state: State, unit: Wanted): boolean =>
  unit.conflictedBy.length === 0 &&
  unit.wants.conflicts.length === 0 &&
  unit.replacedBy.length === 0 &&
  unit.wants.replaces.length === 0 &&
  state.machines.qualified(unit.wants.requirements) === null;

/** The only machines that come into question for a follower. */
function besideLeaders(state: State, unit: Wanted): readonly number[] {
  for (const leader of unit.leaders) {
    if (leader < 0) return [];
    if (state.unit(leader).global) continue;
    const rank = state.at[leader] as number;
    return rank < 0 ? [] : [rank];
  }
  return state.machines.list.map((_, rank) => rank);
}

/** Takes a unit off its machine, and its followers with it: they are decided later in the same round. */
function pushAway(run: Run, state: State, unit: Wanted, why: string): void {
  if ((state.at[unit.index] as number) < 0) return;
  state.remove(unit);
  run.left.set(unit.index, why);
  for (const follower of run.followers.get(unit.index) ?? []) {
    pushAway(run, state, state.unit(follower), `follows ${unit.name}`);
  }
}

function whyLeft(state: State, unit: Wanted, rank: number): string {
  const why = explain(state, unit, rank);
  const missing = unit.leaders.find((leader) => !state.leads(leader, rank)) ?? -1;
  // The leader has only left so far; where it goes is decided later.
  const moving = why?.rule === 'machine-of' && missing >= 0 && !state.unit(missing).global;
  if (moving) return `follows ${state.unit(missing).name}`;
  return `${state.machines.id(rank)} can no longer run it: ${why?.detail}`;
}

function whyHere(state: State, unit: Wanted): string {
  const { machineOf, machineId } = unit.wants.requirements;
  if (machineOf.length > 0) return `next to ${machineOf.join(', ')}`;
  if (machineId !== null) return 'the machine that MachineID names';
  return isPlain(state, unit) ? 'least loaded machine' : 'least loaded machine that can run it';
}

function resultOf(run: Run, state: State): PlacementResult {
  const placements: Placement[] = [];
  const global: GlobalPlacement[] = [];
  const refusals: Refusal[] = [];
  const reasonsFor = lastOnly((unit) => state.machines.list.map((_, rank) => explainNew(state, unit, rank)));
  for (const unit of run.units.list) {
    const previous = unit.view.machine;
    const rank = state.at[unit.index] as number;
    if (unit.global) {
      const bits = state.globalAt.get(unit.index);
      const on = state.machines.list.filter((_, r) => bits !== undefined && hasBit(bits, r));
      global.push({ unit: unit.name, machines: on.map((machine) => machine.id) });
    } else if (rank < 0) {
      refusals.push(refusal(unit, reasonsFor));
    } else {
      const machine = state.machines.id(rank);
      const reason = machine === previous ? `stays on ${machine}` : whyMoved(run, unit);
      placements.push({ unit: unit.name, machine, previous, reason });
    }
  }
  return { placements, global, refusals };
}

function whyMoved(run: Run, unit: Wanted): string {
  const came = run.came.get(unit.index) ?? 'least loaded machine';
  const left = unit.view.machine === null ? undefined : run.left.get(unit.index);
  return left === undefined ? came : `${left}; ${came}`;
}

/** Ten thousand refusals on five thousand machines would be fifty million objects, so they are made when asked for. */
function refusal(unit: Wanted, reasonsFor: (unit: Wanted) => readonly Exclusion[]): Refusal {
  return {
    unit: unit.name,
    previous: unit.view.machine,
    get reasons() {
      return reasonsFor(unit);
    },
  };
}

function lastOnly(compute: (unit: Wanted) => readonly Exclusion[]) {
  let last: { readonly unit: Wanted; readonly reasons: readonly Exclusion[] } | undefined;
  return (unit: Wanted): readonly Exclusion[] => {
    if (last?.unit !== unit) last = { unit, reasons: compute(unit) };
    return last.reasons;
  };
}
