import fc from 'fast-check';
import { expect } from 'vitest';
import { hasBit, setBit, wordsFor } from '../../../../src/lib/plan/bits.ts';
import { UnitFacts } from '../../../../src/lib/plan/facts.ts';
import { MachineTable } from '../../../../src/lib/plan/machines.ts';
import type { MachineView, Snapshot, UnitView } from '../../../../src/lib/plan/model.ts';
import { orderUnits } from '../../../../src/lib/plan/order.ts';
import { RULES } from '../../../../src/lib/plan/rules/index.ts';
import type { Rule } from '../../../../src/lib/plan/rules/rule.ts';
import { State } from '../../../../src/lib/plan/state.ts';
import { type Wanted, wantedUnits } from '../../../../src/lib/plan/units.ts';
import { snapshots } from '../clusters.ts';

/** A machine in few words. */
export const machine = (id: string, rest: Partial<MachineView> = {}): MachineView => ({
  id,
  metadata: {},
  ...rest,
});

/** A unit in few words: `fleet` is its [X-Fleet] section, `on` is where it is. */
export function unit(name: string, fleet = '', on: string | readonly string[] | null = null): UnitView {
  const where = typeof on === 'string' || on === null ? { machine: on } : { machine: null, machines: on };
  return { name, file: fleet === '' ? '' : `[X-Fleet]\n${fleet}\n`, desired: 'launched', ...where };
}

/** Why a rule excludes each machine for the unit, by machine id; checks that its set of candidates says the same. */
export function ask(
  rule: Rule,
  snapshot: Snapshot,
  name: string,
  mayReplace = true,
): Record<string, string | null> {
  const { state, asked } = stateWithout(snapshot, name, mayReplace);
  if (asked === undefined) return {};
  const bits = rule.candidates(state, asked);
  return Object.fromEntries(
    state.machines.list.map(({ id }, rank) => {
      const why = rule.why(state, asked, rank);
      expect(bits === null || hasBit(bits, rank), `${rule.name} for ${name} on ${id}: ${why}`).toBe(
        why === null,
      );
      return [id, why];
    }),
  );
}

/** Asks a rule about every unit of generated clusters, and expects that it excludes machines in some of them. */
export function expectAgreement(rule: Rule): void {
  let excluded = 0;
  fc.assert(
    fc.property(snapshots, fc.boolean(), (snapshot, mayReplace) => {
      for (const { name } of snapshot.units) {
        excluded += Object.values(ask(rule, snapshot, name, mayReplace)).filter((why) => why !== null).length;
      }
    }),
    { numRuns: 1_000 },
  );
  expect(excluded).toBeGreaterThan(0);
}

/** Every unit where the snapshot has it, valid or not, but for the one that is asked about. */
export function stateWithout(snapshot: Snapshot, name: string, mayReplace = true) {
  const machines = new MachineTable(snapshot.machines);
  const units = wantedUnits(snapshot.units, new UnitFacts());
  const indexes = RULES.flatMap((rule) => rule.indexes ?? []);
  const state = new State({ machines, units, order: orderUnits(units), indexes }, mayReplace);
  let asked: Wanted | undefined;
  for (const one of units.list) {
    const ids = one.global ? (one.view.machines ?? []) : [one.view.machine ?? ''];
    const ranks = ids.map((id) => machines.rank(id)).filter((rank) => rank >= 0);
    if (one.name === name) {
      asked = one;
    } else if (one.global) {
      const bits = new Uint32Array(wordsFor(machines.size));
      for (const rank of ranks) setBit(bits, rank);
      state.addGlobal(one, bits);
    } else {
      for (const rank of ranks) state.add(one, rank);
    }
  }
  return { state, asked };
}
