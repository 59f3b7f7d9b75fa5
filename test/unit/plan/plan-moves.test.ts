import { describe, expect, test } from 'vitest';
import { planInventory } from '../../../src/lib/plan/index.ts';
import { json, machines, unit } from './support.ts';

describe('planInventory', () => {
  test('parts a unit from the one that replaces it, which takes its place (func-013)', () => {
    const placed = [
      unit('replace.0.service', '', { machine: 'A' }),
      unit('replace.1.service', '', { machine: 'B' }),
    ];
    const side = unit('replace.2.service', 'MachineOf=replace.1.service', { machine: 'B' });
    const kick = unit('replace-kick0.service', 'Replaces=replace.0.service');
    const plan = planInventory({ machines, units: [...placed, side, kick] });
    expect(plan.exit()).toBe(2);
    expect(plan.placements.map((p) => `${p.unit} ${p.machine}`)).toEqual([
      'replace-kick0.service A',
      'replace.0.service B',
      'replace.1.service B',
      'replace.2.service B',
    ]);
    expect(plan.placements[1]?.reason).toBe(
      'pushed from A by replace-kick0.service; least loaded machine that can run it',
    );
  });

  test.each([
    ['each other', ['a', 'b']],
    ['one another in a circle', ['a', 'b', 'c']],
  ])('ignores Replaces between units that replace %s', (_title, names) => {
    const units = names.map((name, i) =>
      unit(`${name}.service`, `Replaces=${names[(i + 1) % names.length]}.service`),
    );
    const plan = planInventory({ machines: [{ id: 'A' }], units });
    expect(plan.placements.map(({ machine }) => machine)).toEqual(names.map(() => 'A'));
  });

  test('goes on heeding the Conflicts of a neighbour when a unit with the same rule is pushed away', () => {
    const units = [
      unit('a-new.service', 'Replaces=old.service'),
      unit('b.service'),
      unit('old.service', 'MachineMetadata=x=1', { machine: 'A' }),
      unit('old-side.service', 'MachineOf=old.service\nConflicts=b.service', { machine: 'A' }),
      unit('z-keep.service', 'Conflicts=b.service', { machine: 'A' }),
    ];
    const plan = planInventory({ machines: [{ id: 'A', metadata: { x: '1' } }], units });
    expect(plan.placements.map(({ unit }) => unit)).toEqual(['a-new.service', 'z-keep.service']);
    expect(plan.refusals.map(({ unit }) => unit)).toEqual(['b.service', 'old-side.service', 'old.service']);
  });

  test('refuses what is replaced and has nowhere else to go', () => {
    const units = [
      unit('old.service', 'MachineID=A', { machine: 'A' }),
      unit('new.service', 'Replaces=old.service'),
    ];
    const plan = planInventory({ machines: [{ id: 'A' }], units });
    expect(json(plan.refusals)).toEqual([
      {
        unit: 'old.service',
        previous: 'A',
        reasons: [
          {
            machine: 'A',
            rule: 'replaces',
            detail: 'new.service is here, and its Replaces= names this unit',
          },
        ],
      },
    ]);
    expect(plan.steps.map(({ action, unit }) => `${action} ${unit}`.trim())).toEqual([
      'stop old.service',
      'remove old.service',
      'install new.service',
      'reload',
      'start new.service',
    ]);
  });

  test.each([
    ['itself', [unit('a.service', 'MachineOf=a.service')], 'MachineOf names the unit itself'],
    [
      'a circle',
      [unit('a.service', 'MachineOf=b.service'), unit('b.service', 'MachineOf=a.service')],
      'MachineOf goes in a circle: a.service -> b.service -> a.service',
    ],
    ['nobody', [unit('a.service', 'MachineOf=x.service')], 'MachineOf=x.service, which does not exist'],
    [
      'an inactive unit',
      [unit('a.service', 'MachineOf=x.service'), unit('x.service', '', { desired: 'inactive' })],
      'MachineOf=x.service, which is inactive',
    ],
    [
      'a unit without a machine',
      [unit('a.service', 'MachineOf=x.service'), unit('x.service', 'MachineID=Z')],
      'MachineOf=x.service, which has no machine itself',
    ],
  ])('refuses a follower of %s', (_title, units, detail) => {
    const plan = planInventory({ machines: [{ id: 'A' }], units });
    expect(plan.refusals[0]?.reasons).toEqual([{ machine: 'A', rule: 'machine-of', detail }]);
  });

  test('puts nothing new on a cordoned or unreachable machine and leaves what is there', () => {
    const closed = [
      { id: 'C', cordoned: true },
      { id: 'U', unreachable: true },
    ];
    const units = [
      unit('c.service', '', { machine: 'C' }),
      unit('g.service', 'Global=true', { machines: ['C'] }),
      unit('h.service', 'Global=true'),
      unit('new.service'),
      unit('u.service', '', { machine: 'U' }),
    ];
    const plan = planInventory({ machines: closed, units });
    expect(plan.placements.map(({ reason }) => reason)).toEqual(['stays on C', 'stays on U']);
    expect(plan.global).toEqual([
      { unit: 'g.service', machines: ['C', 'U'] },
      { unit: 'h.service', machines: ['U'] },
    ]);
    expect(plan.refusals[0]?.reasons.map(({ rule }) => rule)).toEqual(['cordoned', 'unreachable']);
    expect(plan.steps).toEqual([]);
  });

  test('takes a file on the command line as the new content of a unit that is there', () => {
    const there = unit('a.service', 'MachineMetadata=disk=ssd', { machine: 'B' });
    const plan = planInventory({ machines, units: [there] }, [
      { name: 'a.service', file: '[Service]\nExecStart=/a\n' },
    ]);
    expect(plan.placements[0]?.machine).toBe('B');
    expect(plan.steps.map(({ action }) => action)).toEqual(['stop', 'install', 'reload', 'start']);
  });

  test('warns of what can never come true', () => {
    const units = [unit('a.service', 'MachineOf=x.service\nMachineMetadata=rack=1')];
    expect(planInventory({ machines, units }).warnings).toEqual([
      'a.service: MachineMetadata asks for rack, which no machine has',
      'a.service: MachineOf names x.service, which does not exist',
    ]);
  });
});
