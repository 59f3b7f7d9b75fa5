import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PlacementResult, place, type Snapshot, UnitFacts } from '../../../src/lib/plan/index.ts';
import { compileGlob } from '../../../src/lib/unit/index.ts';
import { snapshots } from './clusters.ts';
import { placeByHand } from './reference.ts';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const check = (property: (snapshot: Snapshot, result: PlacementResult) => void, numRuns = 1_500): void =>
  fc.assert(
    fc.property(snapshots, (snapshot) => property(snapshot, place(snapshot))),
    { numRuns },
  );

function population(result: Pick<PlacementResult, 'placements' | 'global'>): Map<string, string[]> {
  const on = new Map<string, string[]>();
  const add = (machine: string, unit: string) => on.set(machine, [...(on.get(machine) ?? []), unit]);
  for (const { unit, machine } of result.placements) add(machine, unit);
  for (const { unit, machines } of result.global) for (const machine of machines) add(machine, unit);
  return on;
}

function requirementsOf(snapshot: Snapshot) {
  const facts = new UnitFacts();
  return new Map(snapshot.units.map((u) => [u.name, facts.of(u.name, u.file).requirements]));
}

describe('place', () => {
  test('places as the reference does, which looks at each machine in turn', () => {
    check((snapshot, result) => {
      const reference = placeByHand(snapshot);
      expect(population(result)).toEqual(population(reference));
      expect(result.refusals.map(({ unit }) => unit)).toEqual(reference.refusals);
    }, 1_000);
  });

  test('never puts two conflicting units on one machine', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      for (const units of population(result).values()) {
        for (const a of units) {
          for (const b of units) {
            if (a === b) continue;
            for (const glob of requirements.get(a)?.conflicts ?? []) {
              expect(compileGlob(glob).test(b), `${a} conflicts with ${b}`).toBe(false);
            }
          }
        }
      }
    });
  });

  test('puts a follower where all its leaders are', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      const on = population(result);
      for (const { unit, machine } of result.placements) {
        for (const leader of requirements.get(unit)?.machineOf ?? [])
          expect(on.get(machine)).toContain(leader);
      }
    });
  });

  test('puts a global unit on every machine that qualifies', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      const on = population(result);
      for (const { unit, machines } of result.global) {
        const { metadata = {}, conflicts = [] } = requirements.get(unit) ?? {};
        for (const machine of snapshot.machines) {
          if (machines.includes(machine.id) || machine.cordoned) continue;
          const qualifies = Object.entries(metadata).every(([k, vs]) =>
            vs.includes(machine.metadata[k] ?? ''),
          );
          const kept = (on.get(machine.id) ?? []).some(
            (other) =>
              conflicts.some((glob) => compileGlob(glob).test(other)) ||
              requirements.get(other)?.conflicts.some((glob) => compileGlob(glob).test(unit)),
          );
          expect(qualifies && !kept, `${unit} is missing on ${machine.id}`).toBe(false);
        }
      }
    });
  });

  test('never has a replaced unit beside the one that replaces it, unless they replace each other', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      const globals = new Set(result.global.map(({ unit }) => unit));
      const names = snapshot.units.map((u) => u.name).filter((name) => !globals.has(name));
      const replaces = (a: string, b: string): boolean =>
        a !== b && (requirements.get(a)?.replaces ?? []).some((glob) => compileGlob(glob).test(b));
      // Followers can close a circle too; such pairs are left to the stability property.
      const leads = (a: string, b: string): boolean => requirements.get(b)?.machineOf.includes(a) ?? false;
      const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
        names.some((next) => {
          if (seen.has(next) || !(replaces(from, next) || leads(from, next))) return false;
          seen.add(next);
          return next === to || reaches(next, to, seen);
        });
      for (const units of population(result).values()) {
        for (const a of units) {
          for (const b of units) {
            if (globals.has(a) || globals.has(b) || !replaces(a, b)) continue;
            expect(reaches(b, a), `${a} replaces ${b}`).toBe(true);
          }
        }
      }
    });
  });

  test('changes nothing when its answer is given back', () => {
    check((snapshot, result) => {
      const placed = new Map(result.placements.map(({ unit, machine }) => [unit, machine]));
      const on = new Map(result.global.map(({ unit, machines }) => [unit, machines]));
      const units = snapshot.units.map((unit) => {
        const machines = on.get(unit.name);
        return { ...unit, machine: placed.get(unit.name) ?? null, ...(machines ? { machines } : {}) };
      });
      const again = place({ ...snapshot, units });
      const essence = ({ placements, global, refusals }: PlacementResult) => ({
        placements: placements.map(({ unit, machine }) => ({ unit, machine })),
        global,
        refusals: refusals.map(({ unit }) => unit),
      });
      expect(essence(again)).toEqual(essence(result));
      for (const { reason, machine } of again.placements) expect(reason).toBe(`stays on ${machine}`);
    });
  });

  test('does not depend on the order of its input', () => {
    check((snapshot, result) => {
      const turned = { machines: [...snapshot.machines].reverse(), units: [...snapshot.units].reverse() };
      expect(plain(place(turned))).toEqual(plain(result));
    });
  });

  test('has each wanted unit in one list, and in a refusal each machine exactly once', () => {
    check((snapshot, result) => {
      const wanted = snapshot.units.filter((u) => u.desired !== 'inactive').map((u) => u.name);
      const lists = [...result.placements, ...result.global, ...result.refusals].map(({ unit }) => unit);
      expect(lists.sort()).toEqual(wanted.sort());
      const ids = snapshot.machines.map(({ id }) => id).sort();
      for (const { reasons } of result.refusals) {
        expect(reasons.map(({ machine }) => machine)).toEqual(ids);
        for (const { detail } of reasons) {
          expect(detail).not.toMatch(/undefined|null|would never come to an end/);
          expect(detail.length).toBeGreaterThan(10);
        }
      }
    });
  });

  test('keeps every unit that was not new, moved or refused for a reason, and says so', () => {
    check((_snapshot, result) => {
      for (const { machine, previous, reason } of result.placements) {
        expect(reason).not.toMatch(/undefined|null/);
        if (previous !== null && previous !== machine) {
          expect(reason).toMatch(/went away|can no longer run it|pushed from|follows/);
        }
      }
    });
  });
});
