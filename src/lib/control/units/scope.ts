import type { Decision } from '../../plan/index.ts';
import type { ClusterState } from '../../plan/model.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { isGlobal } from './global.ts';

/** What is looked at and changed on one machine. */
export interface MachineScope {
  readonly machine: MachineRecord;
  readonly units: ReadonlySet<string>;
  /** Also every other unit that we installed there. */
  readonly everything: boolean;
}

/** Which machines a run talks to, and about which units on each: by machine id. Nothing else is asked or touched. */
export type Scope = ReadonlyMap<string, MachineScope>;

type Before = Pick<ClusterState<MachineRecord>, 'units' | 'files'>;
type After = Decision<MachineRecord>;

/** These units wherever they were, are, or (global ones) could be. Machines that leave the cluster are not asked. */
export function scopeOfUnits(before: Before, after: After, units: ReadonlySet<string>): Scope {
  const scope = new ScopeBuilder(after);
  for (const unit of units) {
    scope.add(before.units.get(unit)?.machine ?? null, unit);
    scope.add(after.units.get(unit)?.machine ?? null, unit);
    if (isGlobalIn(before, after, unit)) for (const id of after.machines.keys()) scope.add(id, unit);
  }
  scope.addLeaving((unit) => units.has(unit));
  return scope.result;
}

/** All units everywhere, or on one machine. */
export function scopeOfAll(before: Before, after: After, only?: string): Scope {
  const scope = new ScopeBuilder(after);
  const wanted = only === undefined ? [...after.machines.keys()] : [only];
  for (const id of wanted) scope.addAll(id);
  const add = (id: string | null, unit: string): void => {
    if (only === undefined || id === only) scope.add(id, unit);
  };
  for (const unit of after.units.keys()) add(before.units.get(unit)?.machine ?? null, unit);
  for (const { machine, unit } of after.assignments) add(machine, unit);
  scope.addLeaving((_, id) => only === undefined || id === only);
  return scope.result;
}

/** All global units on these machines: what has to be looked at there when only the machines changed. */
export function scopeOfGlobals(before: Before, after: After, machines: Iterable<string>): Scope {
  const scope = new ScopeBuilder(after);
  const globals = [...after.units.keys()].filter((unit) => isGlobalIn(before, after, unit));
  for (const id of machines) for (const unit of globals) scope.add(id, unit);
  return scope.result;
}

/** Everything of ours on a machine that is no longer part of the cluster. */
export function scopeOfLeaving(machine: MachineRecord): Scope {
  return new Map([[machine.id, { machine, units: new Set<string>(), everything: true }]]);
}

/** These units on one machine. */
export function scopeOnMachine(machine: MachineRecord, units: readonly string[]): Scope {
  return new Map([[machine.id, { machine, units: new Set(units), everything: false }]]);
}

/** All that is in any of these scopes. */
export function joinScopes(...scopes: readonly Scope[]): Scope {
  const out = new Map<string, MachineScope>();
  for (const [id, { machine, units, everything }] of scopes.flatMap((scope) => [...scope])) {
    const known = out.get(id);
    out.set(id, {
      machine,
      units: new Set([...(known?.units ?? []), ...units]),
      everything: everything || (known?.everything ?? false),
    });
  }
  return out;
}

function isGlobalIn(before: Before, after: After, unit: string): boolean {
  return after.globals.has(unit) || isGlobal(before, unit) || isGlobal(after, unit);
}

class ScopeBuilder {
  readonly result = new Map<string, { machine: MachineRecord; units: Set<string>; everything: boolean }>();
  readonly #machines: ReadonlyMap<string, MachineRecord>;
  readonly #leaving: After['leaving'];

  constructor({ machines, leaving }: After) {
    this.#machines = machines;
    this.#leaving = leaving;
  }

  /** Units that machines still have to be rid of, those that `concerns` names. */
  addLeaving(concerns: (unit: string, machine: string) => boolean): void {
    for (const { unit, machine } of this.#leaving.values())
      if (concerns(unit, machine)) this.add(machine, unit);
  }

  add(id: string | null, unit: string): void {
    this.#on(id)?.units.add(unit);
  }

  addAll(id: string): void {
    const on = this.#on(id);
    if (on !== undefined) on.everything = true;
  }

  #on(id: string | null) {
    const machine = id === null ? undefined : this.#machines.get(id);
    if (machine === undefined) return undefined;
    const known = this.result.get(machine.id) ?? { machine, units: new Set<string>(), everything: false };
    this.result.set(machine.id, known);
    return known;
  }
}
