import { UnitFacts } from '../../../src/lib/plan/facts.ts';
import type { MachineView, Snapshot, UnitView } from '../../../src/lib/plan/model.ts';
import { orderUnits } from '../../../src/lib/plan/order.ts';
import { wantedUnits } from '../../../src/lib/plan/units.ts';
import { compileGlob, type Requirements } from '../../../src/lib/unit/index.ts';

interface Result {
  readonly placements: { unit: string; machine: string; previous: null; reason: string }[];
  readonly global: { unit: string; machines: string[] }[];
  readonly refusals: string[];
}

/**
 * The law of placement once more, with sets of names and no index at all: whoever changes rules changes it here too.
 * Only the order of decisions is taken from the code under test.
 */
export function placeByHand(snapshot: Snapshot): Result {
  const cluster = new Cluster(snapshot);
  for (let round = 1; ; round++) if (!cluster.round(round < 32)) return cluster.result();
}

class Cluster {
  readonly machines: readonly MachineView[];
  readonly units = new Map<string, UnitView>();
  readonly sequence: readonly string[];
  readonly circleOf: (name: string) => unknown;
  readonly circular: (name: string) => boolean;
  readonly facts = new UnitFacts();
  /** Machine of each ordinary unit. */
  at = new Map<string, string>();
  /** Machines of each global unit. */
  everywhere = new Map<string, Set<string>>();
  /** True while it is only assumed where global units are; nobody conflicts with them then. */
  assumed = false;

  constructor({ machines, units }: Snapshot) {
    this.machines = [...machines].sort((a, b) => (a.id < b.id ? -1 : 1));
    const wanted = wantedUnits(units, this.facts);
    const order = orderUnits(wanted);
    for (const { name, view } of wanted.list) this.units.set(name, view);
    const indexOf = new Map(wanted.list.map(({ name, index }) => [name, index]));
    this.sequence = order.sequence.map((index) => wanted.list[index]?.name ?? '');
    this.circleOf = (name) => order.circle[indexOf.get(name) ?? -1] ?? name;
    this.circular = (name) => order.circular[indexOf.get(name) ?? -1] === 1;
    for (const name of this.sequence) {
      const machine = this.units.get(name)?.machine;
      if (machine) this.at.set(name, machine);
    }
  }

  needs(name: string): Requirements {
    return this.facts.of(name, this.units.get(name)?.file ?? '').requirements;
  }

  round(mayReplace: boolean): boolean {
    this.keepValid();
    let pushed = false;
    const push = (name: string): void => {
      if (!this.at.delete(name)) return;
      for (const other of this.sequence) if (this.needs(other).machineOf.includes(name)) push(other);
    };
    for (const name of this.sequence) {
      if (this.at.has(name)) continue;
      const open = this.machines.filter(
        (machine) =>
          !machine.cordoned &&
          !machine.unreachable &&
          this.fits(name, machine) &&
          this.hasRoom(name, machine) &&
          (mayReplace || this.replaced(name, machine.id).length === 0),
      );
      const scores = new Map(open.map((machine) => [machine.id, this.scores(name, machine)]));
      const best = open.sort((a, b) => {
        const [one, other] = [scores.get(a.id) ?? [], scores.get(b.id) ?? []];
        return (
          one.map((score, i) => score - (other[i] ?? 0)).find((gain) => gain !== 0) || (a.id < b.id ? -1 : 1)
        );
      })[0];
      if (best === undefined) continue;
      const replaced = this.replaced(name, best.id);
      if (replaced.length > 0) pushed = true;
      replaced.forEach(push);
      this.at.set(name, best.id);
    }
    return pushed;
  }

  keepValid(): void {
    const before = this.at;
    const gone = new Set<string>();
    for (;;) {
      this.at = new Map();
      this.assumed = true;
      this.everywhere = new Map();
      for (const name of this.globals()) this.spread(name);
      for (const name of this.sequence) {
        const machine = this.machines.find(({ id }) => id === before.get(name));
        if (machine && !gone.has(name) && this.fits(name, machine)) this.at.set(name, machine.id);
      }
      this.assumed = false;
      this.everywhere = new Map();
      for (const name of this.globals()) this.spread(name);
      const orphans = [...this.at].filter(([name, id]) => !this.besideLeaders(name, id));
      if (orphans.length === 0) return;
      for (const [name] of orphans) gone.add(name);
    }
  }

  globals(): string[] {
    return [...this.units.keys()].filter((name) => this.needs(name).global);
  }

  spread(name: string): void {
    const seen = this.units.get(name)?.machines ?? [];
    const on = this.machines.filter(
      (machine) =>
        this.fits(name, machine) &&
        this.hasRoom(name, machine) &&
        (!machine.cordoned || machine.unreachable || seen.includes(machine.id)),
    );
    this.everywhere.set(name, new Set(on.map(({ id }) => id)));
  }

  on(id: string): string[] {
    const ordinary = [...this.at].filter(([, machine]) => machine === id).map(([name]) => name);
    if (this.assumed) return ordinary;
    return [...ordinary, ...[...this.everywhere].filter(([, ids]) => ids.has(id)).map(([name]) => name)];
  }

  fits(name: string, machine: MachineView): boolean {
    const { machineId, metadata, conflicts } = this.needs(name);
    if (machineId !== null && machine.id !== machineId && machine.id.slice(0, 8) !== machineId) return false;
    for (const [key, values] of Object.entries(metadata)) {
      if (!Object.hasOwn(machine.metadata, key) || !values.includes(machine.metadata[key] ?? ''))
        return false;
    }
    if (this.circular(name) || !this.besideLeaders(name, machine.id)) return false;
    if (!this.hasFewer(name, machine.id) || this.portTaken(name, machine.id)) return false;
    return this.on(machine.id).every(
      (other) =>
        !matches(conflicts, other) &&
        !matches(this.needs(other).conflicts, name) &&
        !this.replaces(other, name),
    );
  }

  /** The lowest is the best, the first decides. */
  scores(name: string, machine: MachineView): number[] {
    const { spread, prefer, memory, cpu } = this.needs(name);
    const siblings = [...this.at].filter(
      ([other]) => groupOf(other) === groupOf(name) && groupOf(name) !== '',
    );
    const here = (key: string, id: string) => this.machines.find((one) => one.id === id)?.metadata[key];
    const { capacity, taken } = this.sizes(machine);
    const parts = [
      ...(memory > 0 ? [capacity.memory === undefined ? 1 : (taken.memory + memory) / capacity.memory] : []),
      ...(cpu > 0 ? [capacity.cpu === undefined ? 1 : (taken.cpu + cpu) / capacity.cpu] : []),
    ];
    return [
      ...(groupOf(name) === '' ? [] : spread).map((key) => {
        const value = machine.metadata[key];
        if (value === undefined) return Number.MAX_SAFE_INTEGER;
        return (
          siblings.filter(([, id]) => here(key, id) === value).length + this.globalSiblings(name, key, value)
        );
      }),
      prefer.filter(([key, value]) => machine.metadata[key] !== value).length,
      parts.length === 0 ? 0 : Math.max(...parts),
      this.on(machine.id).length,
    ];
  }

  globalSiblings(name: string, key: string, value: string): number {
    const like = this.machines.filter(({ metadata }) => metadata[key] === value).map(({ id }) => id);
    const siblings = [...this.everywhere].filter(([other]) => groupOf(other) === groupOf(name));
    return siblings.reduce((sum, [, ids]) => sum + like.filter((id) => ids.has(id)).length, 0);
  }

  sizes(machine: MachineView) {
    const { memory, cpus } = machine.facts ?? {};
    const sum = (of: 'memory' | 'cpu') =>
      this.on(machine.id).reduce((all, other) => all + this.needs(other)[of], 0);
    return {
      capacity: {
        memory: memory === undefined ? undefined : Math.floor(memory * 0.9),
        cpu: cpus === undefined ? undefined : cpus * 1000,
      },
      taken: { memory: sum('memory'), cpu: sum('cpu') },
    };
  }

  /** What is known to be too small takes nobody new; a global unit only looks at the whole of it. */
  hasRoom(name: string, machine: MachineView): boolean {
    const needs = this.needs(name);
    const { capacity, taken } = this.sizes(machine);
    const leaving = needs.global ? [] : this.replaced(name, machine.id).map((other) => this.needs(other));
    return (['memory', 'cpu'] as const).every((of) => {
      const all = capacity[of];
      if (needs[of] === 0 || all === undefined) return true;
      if (needs.global) return needs[of] <= all;
      return taken[of] - leaving.reduce((sum, other) => sum + other[of], 0) + needs[of] <= all;
    });
  }

  hasFewer(name: string, id: string): boolean {
    if (groupOf(name) === '') return true;
    const others = this.on(id).filter((other) => other !== name && groupOf(other) === groupOf(name));
    const limits = [name, ...others].map((one) => this.needs(one).maxPerMachine ?? Number.POSITIVE_INFINITY);
    return others.length === 0 || others.length < Math.min(...limits);
  }

  portTaken(name: string, id: string): boolean {
    const { ports, global } = this.needs(name);
    const leaving = global ? [] : this.replaced(name, id);
    return this.on(id).some(
      (other) =>
        other !== name &&
        !leaving.includes(other) &&
        this.needs(other).ports.some((b) => ports.some((a) => a.from <= b.to && b.from <= a.to)),
    );
  }

  besideLeaders(name: string, id: string): boolean {
    return this.needs(name).machineOf.every(
      (leader) => this.at.get(leader) === id || this.everywhere.get(leader)?.has(id) === true,
    );
  }

  replaces(a: string, b: string): boolean {
    if (a === b || this.needs(a).global || this.needs(b).global) return false;
    return this.circleOf(a) !== this.circleOf(b) && matches(this.needs(a).replaces, b);
  }

  replaced(name: string, id: string): string[] {
    return this.on(id).filter((other) => this.replaces(name, other));
  }

  result(): Result {
    const global = [...this.everywhere].map(([unit, ids]) => ({ unit, machines: [...ids] }));
    const placements = [...this.at].map(([unit, machine]) => ({ unit, machine, previous: null, reason: '' }));
    const refusals = this.sequence.filter((name) => !this.at.has(name)).sort();
    return { placements: placements.sort((a, b) => (a.unit < b.unit ? -1 : 1)), global, refusals };
  }
}

/** The template of an instance; empty for other units. */
const groupOf = (name: string): string => (name.includes('@') ? name.replace(/@[^.]*/, '@') : '');

const matches = (globs: readonly string[], name: string): boolean =>
  globs.some((glob) => compileGlob(glob).test(name));
