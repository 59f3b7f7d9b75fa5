import { ClusterError, ClusterErrors } from '../error.ts';
import { decide, installedOn } from './decide.ts';
import { isTemplateName, UnitFacts } from './facts.ts';
import { firstTwice, readInventory } from './inventory.ts';
import type { ClusterState, Known, Observation, Snapshot, UnitEntry, UnitView } from './model.ts';
import { type Plan, planOf } from './plan.ts';
import { steps } from './steps.ts';

/** A unit file named on the command line: wanted launched. */
export interface ExtraUnit {
  readonly name: string;
  readonly file: string;
  /** Where the text was read, for error messages. */
  readonly source?: string;
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

  const observations = observedOnPaper({ machines, units }, facts);
  const known: Known = {
    away: new Set(machines.filter((machine) => machine.unreachable).map(({ id }) => id)),
    installed: installedOn(observations),
  };
  const decision = decide(stateOf({ machines, units: wanted }, facts), {}, known, facts, { scores: true });
  const { assignments, why, files } = decision;
  return planOf(decision, steps(assignments, observations, { skip: known.away, why, files }), facts);
}

function stateOf({ machines, units }: Snapshot, facts: UnitFacts): ClusterState {
  const files = new Map<string, string>();
  const entry = ({ name, file, desired, machine }: UnitView): UnitEntry => {
    const { hash } = facts.of(name, file);
    files.set(hash, file);
    return { v: 1, name, hash, desired, machine };
  };
  return {
    machines: new Map(machines.map((machine) => [machine.id, machine])),
    units: new Map(units.map((unit) => [unit.name, entry(unit)])),
    files,
  };
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
