import { place } from '../../plan/index.ts';
import type { Assignment, PlacementResult, Snapshot, UnitView } from '../../plan/model.ts';
import type { MachineRecord, RegistryChange, RegistryState, UnitRecord } from '../../registry/index.ts';

/** What somebody wants to be different. `null` = destroyed or removed. */
export interface Intent {
  readonly units?: ReadonlyMap<string, Pick<UnitRecord, 'hash' | 'desired'> | null>;
  readonly machines?: ReadonlyMap<string, MachineRecord | null>;
  readonly files?: ReadonlyMap<string, string>;
}

/** The registry after an intent, with the placements that follow from it. */
export interface Decision {
  readonly change: RegistryChange;
  readonly result: PlacementResult;
  readonly machines: ReadonlyMap<string, MachineRecord>;
  readonly units: ReadonlyMap<string, UnitRecord>;
  readonly files: ReadonlyMap<string, string>;
  readonly assignments: readonly Assignment[];
  readonly globals: ReadonlySet<string>;
  /** Units whose record is different now. */
  readonly changed: ReadonlySet<string>;
}

/** Pure: what the registry must say so that the intent holds and every rule is kept. */
export function decide(state: RegistryState, intent: Intent): Decision {
  const machines = merged(state.machines, intent.machines);
  const files = merged(state.files, intent.files);
  const wanted = new Map<string, UnitRecord>(state.units);
  for (const [name, want] of intent.units ?? []) {
    if (want === null) wanted.delete(name);
    else wanted.set(name, { v: 1, name, machine: state.units.get(name)?.machine ?? null, ...want });
  }
  const result = place(snapshotOf(machines, wanted, files));
  const placed = new Map(result.placements.map(({ unit, machine }) => [unit, machine]));
  const globals = new Map(result.global.map(({ unit, machines: on }) => [unit, on]));
  const units = new Map<string, UnitRecord>();
  const changed = new Set<string>(intent.units?.keys() ?? []);
  const assignments: Assignment[] = [];
  for (const [name, unit] of wanted) {
    const machine = placed.get(name) ?? null;
    const now = machine === unit.machine ? unit : { ...unit, machine };
    units.set(name, now);
    if (
      state.units.get(name)?.machine !== machine &&
      !(machine === null && state.units.get(name) === undefined)
    )
      changed.add(name);
    if (unit.desired === 'inactive') continue;
    for (const id of globals.get(name) ?? (machine === null ? [] : [machine]))
      assignments.push({ machine: id, unit: name, desired: unit.desired, hash: unit.hash });
  }
  const unitChange = new Map<string, UnitRecord | null>();
  for (const name of changed) unitChange.set(name, units.get(name) ?? null);
  return {
    change: {
      units: unitChange,
      ...(intent.machines && { machines: intent.machines }),
      ...(intent.files && { files: intent.files }),
    },
    result,
    machines,
    units,
    files,
    assignments,
    globals: new Set(globals.keys()),
    changed,
  };
}

/** The registry as the planner sees it. */
export function snapshotOf(
  machines: ReadonlyMap<string, MachineRecord>,
  units: ReadonlyMap<string, UnitRecord>,
  files: ReadonlyMap<string, string>,
): Snapshot {
  return {
    machines: [...machines.values()].map(({ id, target, metadata }) => ({
      id,
      address: target.address,
      metadata,
    })),
    units: [...units.values()].map(
      (unit): UnitView => ({
        name: unit.name,
        file: files.get(unit.hash) ?? '',
        desired: unit.desired,
        machine: unit.machine,
      }),
    ),
  };
}

function merged<Value>(
  base: ReadonlyMap<string, Value>,
  edits: ReadonlyMap<string, Value | null> | undefined,
): Map<string, Value> {
  const out = new Map(base);
  for (const [key, value] of edits ?? []) {
    if (value === null) out.delete(key);
    else out.set(key, value);
  }
  return out;
}
