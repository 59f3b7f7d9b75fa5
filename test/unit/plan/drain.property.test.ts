import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ClusterState, decide, drain } from '../../../src/lib/plan/index.ts';
import { settled, snapshots } from './clusters.ts';

const on = ({ units }: Pick<ClusterState, 'units'>, machine: string): string[] =>
  [...units.values()]
    .filter((unit) => unit.machine === machine && unit.desired !== 'inactive')
    .map(({ name }) => name);

test('names every unit of the machine once, and taking them off one by one goes where it says', () => {
  let moved = 0;
  let stuck = 0;
  fc.assert(
    fc.property(snapshots, fc.nat(), (snapshot, which) => {
      const start = settled(snapshot);
      const ids = [...start.machines.keys()].sort();
      const machine = ids[which % Math.max(1, ids.length)];
      if (machine === undefined) return;
      const { leavers } = drain(start, machine);
      expect(leavers.map(({ unit }) => unit).sort()).toEqual(on(start, machine).sort());

      const closed = { ...start.machines.get(machine)!, cordoned: true };
      let state: ClusterState = { ...start, machines: new Map(start.machines).set(machine, closed) };
      for (const { unit, to, reasons } of leavers) {
        if (to === null) {
          stuck++;
          expect(reasons.map((one) => one.machine).sort()).toEqual(ids.filter((id) => id !== machine));
          continue;
        }
        moved++;
        expect(to).not.toBe(machine);
        if (state.units.get(unit)?.machine === machine)
          state = {
            ...state,
            units: decide(state, { moves: new Map([[unit, { machine: null, reason: '' }]]) }).units,
          };
        expect(state.units.get(unit)?.machine).toBe(to);
      }
      if (leavers.every(({ to }) => to !== null)) expect(on(state, machine)).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
  expect(moved).toBeGreaterThan(50);
  expect(stuck).toBeGreaterThan(20);
});
