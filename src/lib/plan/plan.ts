import { ClusterError, ClusterErrors, EXIT } from '../error.ts';
import { diff } from './diff.ts';
import { isTemplateName, UnitFacts } from './facts.ts';
import { firstTwice, readInventory } from './inventory.ts';
import { MachineTable } from './machines.ts';
import type { Assignment, Observation, PlacementResult, Snapshot, Step, UnitView } from './model.ts';
import { place } from './place.ts';

/** The answer of `cluster plan`: what would be where, what cannot be anywhere, and the steps to get there. */
export interface Plan extends PlacementResult {
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
  /** 0 nothing to do, 2 changes, 1 refusals. Not part of the JSON. */
  exit(): number;
}

/** A unit file named on the command line: wanted launched. */
export interface ExtraUnit {
  readonly name: string;
  readonly file: string;
  /** Where the text was read, for error messages. */
  readonly source?: string;
}

/** Plans the way from what was observed to what the snapshot wants. Machines that cannot be reached get no steps. */
export function planSnapshot(
  snapshot: Snapshot,
  observations: readonly Observation[],
  facts: UnitFacts = new UnitFacts(),
): Plan {
  const result = place(withKnownGlobals(snapshot, observations, facts), facts);
  const skip = new Set(snapshot.machines.filter((m) => m.unreachable).map((m) => m.id));
  const steps = diff(assignmentsOf(snapshot, result, facts), observations, {
    skip,
    why: reasons(snapshot, result),
  });
  const exit = () => (result.refusals.length > 0 ? EXIT.failed : steps.length > 0 ? EXIT.changes : EXIT.ok);
  const plan: Plan = { ...result, steps, warnings: warningsOf(snapshot, facts), exit };
  return Object.defineProperty(plan, 'exit', { enumerable: false });
}

/**
 * Plans on paper: an inventory (read from YAML or JSON) stands for the cluster, and its units are taken to be in
 * their desired state where it says they are. Throws a ClusterError for a bad inventory or unit.
 */
export function planInventory(inventory: unknown, extra: readonly ExtraUnit[] = []): Plan {
  const { machines, units } = readInventory(inventory);
  const facts = new UnitFacts();
  const before = new Map(units.map((unit) => [unit.name, unit]));
  const twice = firstTwice(extra.map(({ name }) => name));
  if (twice !== undefined)
    throw new ClusterError('unit-duplicate', `unit ${twice} is given twice`, { unit: twice });
  const added = extra.map(({ name, file }): UnitView => {
    const known = before.get(name);
    return { ...(known ?? { name, machine: null }), file, desired: 'launched' };
  });
  const addedNames = new Set(added.map(({ name }) => name));
  const wanted = [...units.filter(({ name }) => !addedNames.has(name)), ...added];
  const sources = new Map(extra.map(({ name, source }) => [name, source]));
  checkUnits([...units, ...added], sources, facts);
  return planSnapshot({ machines, units: wanted }, observedOnPaper({ machines, units }, facts), facts);
}

function checkUnits(
  units: readonly UnitView[],
  sources: ReadonlyMap<string, string | undefined>,
  facts: UnitFacts,
): void {
  const errors: ClusterError[] = [];
  for (const unit of units) {
    try {
      checkUnit(unit, sources.get(unit.name), facts);
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      errors.push(error);
    }
  }
  const [first, ...others] = errors;
  if (first !== undefined) throw others.length === 0 ? first : new ClusterErrors(errors);
}

function checkUnit(unit: UnitView, source: string | undefined, facts: UnitFacts): void {
  const { name, file, desired, machine, machines } = unit;
  const place = { unit: name, ...(source === undefined ? {} : { file: source }) };
  const { requirements } = facts.of(name, file, source);
  if (desired !== 'inactive' && isTemplateName(name)) {
    const hint = `name an instance, such as ${name.replace('@.', '@1.')}`;
    throw new ClusterError('template-active', `template ${name} can only be inactive`, { ...place, hint });
  }
  if (requirements.global && machine !== null) {
    const hint = 'a global unit has "machines", a list';
    throw new ClusterError('inventory-invalid', `global unit ${name} has a "machine"`, { ...place, hint });
  }
  if (!requirements.global && machines !== undefined) {
    const hint = 'use "machine"';
    throw new ClusterError('inventory-invalid', `unit ${name} is not global and has "machines"`, {
      ...place,
      hint,
    });
  }
}

/** What the machines would report if every unit of the inventory were in its desired state where it is placed. */
function observedOnPaper({ machines, units }: Snapshot, facts: UnitFacts): Observation[] {
  const ids = new Set(machines.map(({ id }) => id));
  return units.flatMap((unit) => {
    const { hash } = facts.of(unit.name, unit.file);
    const on = unit.machine === null ? (unit.machines ?? []) : [unit.machine];
    const running = unit.desired !== 'loaded';
    const state = running ? { active: 'active', sub: 'running' } : { active: 'inactive', sub: 'dead' };
    return [...new Set(on)]
      .filter((machine) => ids.has(machine))
      .map((machine) => ({ machine, unit: unit.name, hash, load: 'loaded', ...state }));
  });
}

/** Where a global unit already is decides whether a cordoned machine keeps it; what was observed tells. */
function withKnownGlobals(
  snapshot: Snapshot,
  observations: readonly Observation[],
  facts: UnitFacts,
): Snapshot {
  if (!snapshot.machines.some((machine) => machine.cordoned)) return snapshot;
  const installed = new Map<string, string[]>();
  for (const { unit, machine, hash } of observations) {
    if (hash !== null) installed.set(unit, [...(installed.get(unit) ?? []), machine]);
  }
  const units = snapshot.units.map((unit) => {
    const seen = installed.get(unit.name);
    if (seen === undefined || !facts.of(unit.name, unit.file).requirements.global) return unit;
    return { ...unit, machines: [...(unit.machines ?? []), ...seen] };
  });
  return { ...snapshot, units };
}

function assignmentsOf(snapshot: Snapshot, result: PlacementResult, facts: UnitFacts): Assignment[] {
  const units = new Map(snapshot.units.map((unit) => [unit.name, unit]));
  const assignments: Assignment[] = [];
  const assign = (name: string, machines: readonly string[]): void => {
    const unit = units.get(name);
    if (unit === undefined || unit.desired === 'inactive') return;
    const { hash } = facts.of(name, unit.file);
    for (const machine of machines) assignments.push({ machine, unit: name, desired: unit.desired, hash });
  };
  for (const { unit, machine } of result.placements) assign(unit, [machine]);
  for (const { unit, machines } of result.global) assign(unit, machines);
  return assignments;
}

/** Why a unit comes to a machine, or has to go from it. */
function reasons(snapshot: Snapshot, result: PlacementResult) {
  const placed = new Map(result.placements.map((placement) => [placement.unit, placement]));
  const refused = new Map(result.refusals.map((refusal) => [refusal.unit, refusal]));
  const global = new Map(result.global.map(({ unit, machines }) => [unit, new Set(machines)]));
  const inactive = new Set(snapshot.units.filter((u) => u.desired === 'inactive').map((u) => u.name));
  return (machine: string, unit: string): string | undefined => {
    const placement = placed.get(unit);
    if (placement?.machine === machine) return placement.previous === machine ? undefined : placement.reason;
    if (placement !== undefined) return `moves to ${placement.machine}: ${placement.reason}`;
    const everywhere = global.get(unit);
    if (everywhere !== undefined) {
      return everywhere.has(machine) ? 'global unit' : 'global unit that may not run here any more';
    }
    if (inactive.has(unit)) return 'should be inactive';
    const why = refused.get(unit)?.reasons.find((reason) => reason.machine === machine);
    if (why !== undefined) return `can no longer run here: ${why.detail}`;
    return undefined;
  };
}

function warningsOf({ machines, units }: Snapshot, facts: UnitFacts): string[] {
  const table = new MachineTable(machines);
  const known = new Set(units.map(({ name }) => name));
  const warnings = new Set<string>();
  for (const { name, file } of units) {
    const { requirements, warnings: own } = facts.of(name, file);
    for (const warning of own) warnings.add(warning.startsWith(name) ? warning : `${name}: ${warning}`);
    if (isTemplateName(name)) continue;
    for (const leader of requirements.machineOf) {
      if (!known.has(leader)) warnings.add(`${name}: MachineOf names ${leader}, which nobody knows`);
    }
    if (machines.length === 0) continue;
    for (const key of Object.keys(requirements.metadata)) {
      if (!table.hasKey(key)) warnings.add(`${name}: MachineMetadata asks for ${key}, which no machine has`);
    }
  }
  return [...warnings].sort();
}
