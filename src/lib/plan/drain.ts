import { type Decision, decide } from './decide.ts';
import { UnitFacts } from './facts.ts';
import type { ClusterState, Exclusion, Known, MachineView } from './model.ts';
import { placedState } from './place.ts';
import { snapshotOf } from './snapshot.ts';

/** A unit that has to leave a machine. */
export interface Leaver {
  readonly unit: string;
  /** Where it can go; null = nowhere. */
  readonly to: string | null;
  /** It goes together with this unit, which MachineOf= ties it to. */
  readonly with?: string;
  /** Units on the machine where it goes that have to leave it first (Replaces=). */
  readonly pushes: readonly string[];
  /** Why each other machine cannot have it; only where it can go nowhere. */
  readonly reasons: readonly Exclusion[];
}

export interface DrainPlan {
  /** In an order in which each can go when those before it are gone. */
  readonly leavers: readonly Leaver[];
  /** Global units that are on the machine. */
  readonly globals: readonly string[];
}

/**
 * How a machine is emptied: one unit after another goes where rules and preferences place it, those that follow it go
 * with it. `machine` is cordoned in `state`, or becomes so here.
 */
export function drain<Machine extends MachineView>(
  state: ClusterState<Machine>,
  machine: string,
  known: Known = {},
  facts: UnitFacts = new UnitFacts(),
): DrainPlan {
  const record = state.machines.get(machine);
  if (record === undefined) return { leavers: [], globals: [] };
  const before = decide(state, {}, known, facts);
  const globals = [...before.globals].filter((unit) =>
    before.assignments.some((one) => one.unit === unit && one.machine === machine),
  );

  const machines = new Map(state.machines).set(machine, { ...record, cordoned: true });
  let current: ClusterState<Machine> = { ...state, machines };
  const placed = placedState(snapshotOf(state.machines, state.units, state.files, known), facts);
  const here = placed.order.sequence
    .map((index) => placed.unit(index).name)
    .filter((unit) => state.units.get(unit)?.machine === machine);
  const ledBy = new Map<string, string>();
  const leavers = here.map((unit): Leaver => {
    const leader = ledBy.get(unit);
    const now = current.units.get(unit)?.machine ?? null;
    if (leader !== undefined && now !== null) return { unit, to: now, with: leader, pushes: [], reasons: [] };

    const decision = leave(current, unit, known, facts);
    const to = decision.units.get(unit)?.machine ?? null;
    if (to === null) return { unit, to, pushes: [], reasons: reasonsFor(decision, unit, machine) };
    const others = [...decision.changed].filter((name) => name !== unit);
    for (const name of others) if (current.units.get(name)?.machine === machine) ledBy.set(name, unit);
    const pushes = others.filter((name) => !here.includes(name) && current.units.get(name)?.machine !== null);
    current = { ...current, units: decision.units };
    return { unit, to, pushes: pushes.sort(), reasons: [] };
  });
  return { leavers, globals: globals.sort() };
}

/** The decision by which a unit leaves a machine that is cordoned. */
function leave<Machine extends MachineView>(
  state: ClusterState<Machine>,
  unit: string,
  known: Known,
  facts: UnitFacts,
): Decision<Machine> {
  return decide(state, { moves: new Map([[unit, { machine: null, reason: '' }]]) }, known, facts);
}

function reasonsFor({ result }: Decision, unit: string, machine: string): readonly Exclusion[] {
  const refusal = result.refusals.find((one) => one.unit === unit);
  return (refusal?.reasons ?? []).filter((reason) => reason.machine !== machine);
}
