import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Desired, type PlacementResult, place, type UnitView } from '../../../src/lib/plan/index.ts';

interface CaseUnit {
  readonly name: string;
  readonly text: string;
  readonly desired?: Desired;
  readonly target?: string;
}
interface CaseMachine {
  readonly id: string;
  readonly metadata?: Record<string, string>;
}
interface Task {
  readonly action: 'schedule' | 'unschedule';
  readonly unit: string;
  readonly machine: string;
}
interface Expectation {
  readonly conflict?: boolean;
  readonly replace?: boolean;
  readonly with?: string;
  readonly action?: 'schedule' | 'unschedule' | 'reschedule';
  readonly machine?: string | null;
  readonly tasks?: readonly Task[];
  readonly placements?: Record<string, string | null>;
  readonly same_machine?: readonly (readonly string[])[];
  readonly different_machines?: readonly (readonly string[])[];
  readonly units_per_machine_sorted?: readonly number[];
  readonly unscheduled_count?: number;
}
interface Case {
  readonly id: string;
  readonly title: string;
  readonly given: {
    readonly machine?: CaseMachine;
    readonly machines?: readonly CaseMachine[];
    readonly on_machine?: readonly CaseUnit[];
    readonly units?: readonly CaseUnit[];
    readonly unit?: CaseUnit;
  };
  readonly when: { readonly op?: string };
  readonly expect: Expectation;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../conformance/${name}`, import.meta.url), 'utf8'));
const cases = read('fleet.json') as readonly Case[];
const differences = read('differences-plan.json') as Record<string, string>;

const viewOf = (unit: CaseUnit, machine?: string): UnitView => ({
  name: unit.name,
  file: unit.text,
  desired: unit.desired ?? 'launched',
  machine: machine ?? unit.target ?? null,
});

function placeCase({ given }: Case): PlacementResult {
  const machines = given.machines ?? (given.machine === undefined ? [] : [given.machine]);
  const units = [
    ...(given.units ?? []).map((unit) => viewOf(unit)),
    ...(given.on_machine ?? []).map((unit) => viewOf(unit, given.machine?.id)),
    ...(given.unit === undefined ? [] : [viewOf(given.unit)]),
  ];
  return place({ machines: machines.map((m) => ({ id: m.id, metadata: m.metadata ?? {} })), units });
}

const whereIs = (result: PlacementResult, unit: string): string | null =>
  result.placements.find((placement) => placement.unit === unit)?.machine ?? null;

const pushed = (result: PlacementResult): string[] =>
  result.refusals.filter((r) => r.reasons.some((reason) => reason.rule === 'replaces')).map((r) => r.unit);

const byText = (tasks: readonly Task[]): string[] =>
  tasks.map(({ action, unit, machine }) => `${action} ${unit} ${machine}`).sort();

function tasksOf({ given }: Case, result: PlacementResult): Task[] {
  return (given.units ?? []).flatMap(({ name, target }): Task[] => {
    const machine = whereIs(result, name);
    if (machine === (target ?? null)) return [];
    const gone: Task[] = target === undefined ? [] : [{ action: 'unschedule', unit: name, machine: target }];
    return machine === null ? gone : [...gone, { action: 'schedule', unit: name, machine }];
  });
}

const checks: Record<string, (c: Case, result: PlacementResult) => void> = {
  has_conflict: (c, result) => {
    const refused = result.refusals.find(({ unit }) => unit === c.given.unit?.name);
    expect(refused?.reasons.some(({ rule }) => rule === 'conflicts') ?? false).toBe(c.expect.conflict);
  },
  has_replace: (c, result) => {
    const found = pushed(result);
    expect(found.length > 0).toBe(c.expect.replace);
    if (c.expect.with !== undefined && found[0] !== c.given.unit?.name)
      expect(found).toContain(c.expect.with);
  },
  able_to_run: (c, result) => {
    const runs = whereIs(result, c.given.unit?.name ?? '') !== null;
    const action = pushed(result).length > 0 ? 'reschedule' : runs ? 'schedule' : 'unschedule';
    expect(action).toBe(c.expect.action);
  },
  decide: (c, result) => expect(whereIs(result, c.given.unit?.name ?? '')).toBe(c.expect.machine),
  schedule_round: (c, result) => expect(byText(tasksOf(c, result))).toEqual(byText(c.expect.tasks ?? [])),
  schedule_until_stable: (c, result) => {
    const { placements = {}, same_machine = [], different_machines = [] } = c.expect;
    for (const [unit, machine] of Object.entries(placements))
      expect(whereIs(result, unit), unit).toBe(machine);
    for (const group of same_machine) {
      expect(new Set(group.map((unit) => whereIs(result, unit))).size, group.join()).toBe(1);
    }
    for (const group of different_machines) {
      const machines = group.map((unit) => whereIs(result, unit));
      expect(machines).not.toContain(null);
      expect(new Set(machines).size, group.join()).toBe(group.length);
    }
    if (c.expect.unscheduled_count !== undefined) {
      expect(result.refusals.length).toBe(c.expect.unscheduled_count);
    }
    if (c.expect.units_per_machine_sorted !== undefined) {
      const counts = (c.given.machines ?? []).map(
        ({ id }) => result.placements.filter(({ machine }) => machine === id).length,
      );
      expect(counts.sort((a, b) => a - b)).toEqual(c.expect.units_per_machine_sorted);
    }
  },
};

describe('fleet decides so', () => {
  const run = cases.filter(({ when }) => when.op !== undefined && when.op in checks);
  test.each(run.filter(({ id }) => !(id in differences)).map((c) => [c.id, c.title, c] as const))(
    '%s: %s',
    (_id, _title, c) => checks[c.when.op ?? '']?.(c, placeCase(c)),
  );

  test.each(Object.entries(differences))('%s is answered otherwise on purpose: %s', (id) => {
    const c = run.find((known) => known.id === id);
    if (c === undefined) throw new Error(`no case ${id}`);
    expect(() => checks[c.when.op ?? '']?.(c, placeCase(c))).toThrow();
  });
});
