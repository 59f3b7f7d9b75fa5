import { UnitFacts } from './facts.ts';
import {
  type Assignment,
  type ClusterState,
  hashOn,
  type Intent,
  type Known,
  type LeavingUnit,
  leavingKey,
  type MachineView,
  type Observation,
  type PlacementResult,
  type StateChange,
  type UnitEntry,
  type UnitWish,
  type Why,
} from './model.ts';
import { type PlaceOptions, place } from './place.ts';
import { snapshotOf } from './snapshot.ts';

/** The cluster after an intent: what to record, what each machine should have, and why. */
export interface Decision<Machine extends MachineView = MachineView> {
  readonly change: StateChange<Machine>;
  /** Placements, global units and refusals; the reasons of a refusal are computed when they are read. */
  readonly result: PlacementResult;
  readonly machines: ReadonlyMap<string, Machine>;
  readonly units: ReadonlyMap<string, UnitEntry>;
  readonly files: ReadonlyMap<string, string>;
  readonly assignments: readonly Assignment[];
  /** Units that machines still have to be rid of, those that this decision takes away included; by `leavingKey`. */
  readonly leaving: ReadonlyMap<string, LeavingUnit>;
  /** Units that are wanted loaded or launched on every machine that qualifies. */
  readonly globals: ReadonlySet<string>;
  /** Units that the intent names, and those whose placement is different now. */
  readonly changed: ReadonlySet<string>;
  /** Machines where a unit is placed that was not placed there before: they have to answer. */
  readonly chosen: ReadonlySet<string>;
  readonly why: Why;
}

/**
 * Decides what has to be recorded, and where every unit should be, so that the intent holds and every placement rule is
 * kept. Pure: the same arguments give the same answer. A unit stays on a machine that is away; a unit that needs a
 * machine gets one that is not known to be away.
 * @throws the ClusterError of `validateUnit` for a unit file that cannot be read.
 */
export function decide<Machine extends MachineView>(
  state: ClusterState<Machine>,
  intent: Intent<Machine> = {},
  known: Known = {},
  facts: UnitFacts = new UnitFacts(),
  options: PlaceOptions = {},
): Decision<Machine> {
  const machines = merged(state.machines, intent.machines);
  const files = merged(state.files, intent.files);
  const wanted = new Map<string, UnitEntry>(state.units);
  for (const [name, want] of intent.units ?? []) {
    if (want === null) wanted.delete(name);
    else wanted.set(name, wished(name, want, state.units.get(name)));
  }

  const snapshot = snapshotOf(machines, relocated(wanted, intent.moves), files, known);
  const result = withMoves(place(snapshot, facts, options), wanted, intent.moves);
  const placed = new Map(result.placements.map(({ unit, machine }) => [unit, machine]));
  const globals = new Map(result.global.map(({ unit, machines: on }) => [unit, on]));

  const units = new Map<string, UnitEntry>();
  const changed = new Set<string>(intent.units?.keys() ?? []);
  const chosen = new Set<string>();
  const assignments: Assignment[] = [];
  for (const [name, unit] of wanted) {
    const machine = placed.get(name) ?? null;
    const moved = machine !== unit.machine;
    units.set(name, moved ? { ...unit, machine } : unit);
    if (moved) changed.add(name);
    if (moved && machine !== null) chosen.add(machine);
    if (unit.desired === 'inactive') continue;
    for (const id of globals.get(name) ?? (machine === null ? [] : [machine]))
      assignments.push({ machine: id, unit: name, desired: unit.desired, hash: hashOn(unit, id) });
  }

  const wasOn = locationsBefore(state, intent, known, facts, changed);
  const { leaving, edits } = leavingAfter(state, wasOn, assignments, machines);

  let reasons: Why | undefined;
  return {
    change: {
      units: new Map([...changed].map((name) => [name, units.get(name) ?? null])),
      ...(intent.machines && { machines: intent.machines }),
      ...(intent.files && { files: intent.files }),
      ...(edits.size > 0 && { leaving: edits }),
    },
    result,
    machines,
    units,
    files,
    assignments,
    leaving,
    globals: new Set(globals.keys()),
    changed,
    chosen,
    // Most runs ask for few reasons or none: the tables behind them are made when the first one is asked for.
    why: (machine, unit) => {
      reasons ??= reasonsOf(units, result);
      return reasons(machine, unit);
    },
  };
}

/** A unit's record as it is wanted. */
function wished(name: string, want: UnitWish, known: UnitEntry | undefined): UnitEntry {
  const { hash, desired } = want;
  const hashes = want.hashes ?? (known?.hash === hash ? known.hashes : undefined) ?? {};
  const others = Object.entries(hashes).filter(([, other]) => other !== hash);
  const machine = known?.machine ?? null;
  return {
    v: 1,
    name,
    hash,
    desired,
    machine,
    ...(others.length > 0 && { hashes: Object.fromEntries(others.sort()) }),
  };
}

/** The units where `moves` wants them. */
function relocated(
  units: ReadonlyMap<string, UnitEntry>,
  moves: Intent['moves'],
): ReadonlyMap<string, UnitEntry> {
  if (moves === undefined) return units;
  const out = new Map(units);
  for (const [name, { machine }] of moves) {
    const unit = out.get(name);
    if (unit !== undefined) out.set(name, { ...unit, machine });
  }
  return out;
}

/** The placements, where those that a move asked for say where the unit was and why it goes. */
function withMoves(
  result: PlacementResult,
  before: ReadonlyMap<string, UnitEntry>,
  moves: Intent['moves'],
): PlacementResult {
  if (moves === undefined) return result;
  const placements = result.placements.map((placement) => {
    const move = moves.get(placement.unit);
    const previous = before.get(placement.unit)?.machine ?? null;
    const isMoved = move !== undefined && (move.machine === null || move.machine === placement.machine);
    return isMoved ? { ...placement, previous, reason: move.reason } : placement;
  });
  return { ...result, placements };
}

/**
 * Where the units that may have left a machine were placed before: `[unit, machine]` pairs. Where global units were is
 * placed anew, which is left out where nothing that decides it changed.
 */
function locationsBefore(
  state: ClusterState,
  intent: Intent<MachineView>,
  known: Known,
  facts: UnitFacts,
  changed: ReadonlySet<string>,
): [unit: string, machine: string][] {
  const out: [string, string][] = [];
  let globals = intent.machines !== undefined;
  for (const name of changed) {
    const unit = state.units.get(name);
    if (unit === undefined || unit.desired === 'inactive') continue;
    if (unit.machine !== null) out.push([name, unit.machine]);
    else if (state.files.get(unit.hash)?.includes('Global')) globals = true;
  }
  if (!globals) return out;
  const before = place(snapshotOf(state.machines, state.units, state.files, known), facts);
  for (const { unit, machines } of before.global) for (const id of machines) out.push([unit, id]);
  return out;
}

/** What machines have to be rid of after a decision, and the records of it that come (or, null, go). */
function leavingAfter(
  state: ClusterState,
  wasOn: readonly (readonly [unit: string, machine: string])[],
  assignments: readonly Assignment[],
  machines: ReadonlyMap<string, MachineView>,
): { leaving: ReadonlyMap<string, LeavingUnit>; edits: ReadonlyMap<string, LeavingUnit | null> } {
  const leaving = new Map(state.leaving);
  const edits = new Map<string, LeavingUnit | null>();
  if (leaving.size === 0 && wasOn.length === 0) return { leaving, edits };
  const here = new Set(assignments.map(({ unit, machine }) => leavingKey(unit, machine)));
  for (const [key, { machine }] of state.leaving ?? []) {
    if (!here.has(key) && machines.has(machine)) continue;
    leaving.delete(key);
    edits.set(key, null);
  }
  for (const [unit, machine] of wasOn) {
    const key = leavingKey(unit, machine);
    if (here.has(key) || leaving.has(key) || !machines.has(machine)) continue;
    const record: LeavingUnit = { v: 1, unit, machine };
    leaving.set(key, record);
    edits.set(key, record);
  }
  return { leaving, edits };
}

/** Which machines have each unit installed by us, for `Known.installed`. */
export function installedOn(observations: Iterable<Observation>): Map<string, string[]> {
  const installed = new Map<string, string[]>();
  for (const { unit, machine, hash } of observations) {
    if (hash === null) continue;
    const machines = installed.get(unit);
    if (machines === undefined) installed.set(unit, [machine]);
    else machines.push(machine);
  }
  return installed;
}

function reasonsOf(units: ReadonlyMap<string, UnitEntry>, result: PlacementResult): Why {
  const placed = new Map(result.placements.map((placement) => [placement.unit, placement]));
  const refused = new Map(result.refusals.map((refusal) => [refusal.unit, refusal]));
  const global = new Map(result.global.map(({ unit, machines }) => [unit, new Set(machines)]));
  return (machine, unit) => {
    const placement = placed.get(unit);
    if (placement?.machine === machine) return placement.previous === machine ? undefined : placement.reason;
    if (placement !== undefined) return `moves to ${placement.machine}: ${placement.reason}`;

    const everywhere = global.get(unit);
    if (everywhere !== undefined)
      return everywhere.has(machine) ? 'global unit' : 'global unit that may not run here any more';

    if (units.get(unit)?.desired === 'inactive') return 'should be inactive';
    const why = refused.get(unit)?.reasons.find((reason) => reason.machine === machine);
    return why === undefined ? undefined : `can no longer run here: ${why.detail}`;
  };
}

function merged<Value>(
  base: ReadonlyMap<string, Value>,
  edits: ReadonlyMap<string, Value | null> | undefined,
): ReadonlyMap<string, Value> {
  if (edits === undefined || edits.size === 0) return base;
  const out = new Map(base);
  for (const [key, value] of edits) {
    if (value === null) out.delete(key);
    else out.set(key, value);
  }
  return out;
}
