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

  test('never has one port twice on a machine, nor more instances than MaxPerMachine allows', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      for (const units of population(result).values()) {
        const ports = units.flatMap((unit) =>
          (requirements.get(unit)?.ports ?? []).flatMap(({ from, to }) =>
            from === to ? [from] : [from, to],
          ),
        );
        expect(ports).toHaveLength(new Set(ports).size);
        for (const unit of units.filter((name) => name.includes('@'))) {
          const siblings = units.filter((other) => other.split('@')[0] === unit.split('@')[0]);
          const { maxPerMachine = null } = requirements.get(unit) ?? {};
          if (maxPerMachine !== null) expect(siblings.length).toBeLessThanOrEqual(maxPerMachine);
        }
      }
    });
  });

  test('promises no newcomer memory or CPUs that ordinary units have taken of its machine', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      const on = population(result);
      const sum = (id: string, of: 'memory' | 'cpu'): number =>
        (on.get(id) ?? [])
          .filter((unit) => !requirements.get(unit)?.global)
          .reduce((all, unit) => all + (requirements.get(unit)?.[of] ?? 0), 0);
      const sizes = new Map(snapshot.machines.map(({ id, facts }) => [id, facts]));
      for (const { unit, machine, previous } of result.placements) {
        if (previous === machine) continue;
        const { memory, cpus } = sizes.get(machine) ?? {};
        const needs = requirements.get(unit);
        if (memory !== undefined && (needs?.memory ?? 0) > 0)
          expect(sum(machine, 'memory')).toBeLessThanOrEqual(memory * 0.9);
        if (cpus !== undefined && (needs?.cpu ?? 0) > 0)
          expect(sum(machine, 'cpu')).toBeLessThanOrEqual(cpus * 1000);
      }
    });
  });

  // Of several units that need a machine one may take the place that only another could use, whatever ranks it.
  test('refuses a unit for no soft rule', () => {
    fc.assert(
      fc.property(snapshots, (snapshot) => {
        const settled = new Map(place(snapshot).placements.map(({ unit, machine }) => [unit, machine]));
        for (const { name } of snapshot.units) {
          const refused = (soft: boolean): string[] => {
            const units = snapshot.units
              .filter((unit) => settled.has(unit.name) || unit.name === name)
              .map((unit) => ({
                ...unit,
                machine: unit.name === name ? null : (settled.get(unit.name) ?? null),
              }))
              .map((unit) =>
                soft ? unit : { ...unit, file: unit.file.replace(/^(Spread|Prefer)=.*\n/gm, '') },
              );
            return place({ ...snapshot, units }).refusals.map(({ unit }) => unit);
          };
          expect(refused(true).includes(name)).toBe(refused(false).includes(name));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('puts a global unit on every machine that qualifies', () => {
    check((snapshot, result) => {
      const requirements = requirementsOf(snapshot);
      const on = population(result);
      for (const { unit, machines } of result.global) {
        const needs = requirements.get(unit);
        const { metadata = {}, conflicts = [], memory = 0, cpu = 0 } = needs ?? {};
        for (const machine of snapshot.machines) {
          if (machines.includes(machine.id) || machine.cordoned) continue;
          const { memory: bytes = Number.POSITIVE_INFINITY, cpus = Number.POSITIVE_INFINITY } =
            machine.facts ?? {};
          if (memory > bytes * 0.9 || cpu > cpus * 1000) continue;
          const others = on.get(machine.id) ?? [];
          const isCrowded = others.some((other) => {
            const theirs = requirements.get(other);
            const limits = needs?.maxPerMachine ?? theirs?.maxPerMachine ?? null;
            const isSibling = unit.includes('@') && unit.split('@')[0] === other.split('@')[0];
            const ports = (needs?.ports.length ?? 0) > 0 && (theirs?.ports.length ?? 0) > 0;
            return ports || (isSibling && limits !== null);
          });
          if (isCrowded) continue;
          const qualifies = Object.entries(metadata).every(([k, vs]) =>
            vs.includes(machine.metadata[k] ?? ''),
          );
          const kept = others.some(
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
