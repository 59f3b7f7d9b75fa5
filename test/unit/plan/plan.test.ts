import { describe, expect, test } from 'vitest';
import { ClusterError, ClusterErrors } from '../../../src/lib/error.ts';
import { planInventory } from '../../../src/lib/plan/index.ts';

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const machines = [{ id: 'B', metadata: { disk: 'ssd' } }, { id: 'A' }];
const unit = (name: string, fleet = '', rest: Record<string, unknown> = {}) => ({
  name,
  file: fleet === '' ? '' : `[X-Fleet]\n${fleet}\n`,
  desired: 'launched',
  machine: null,
  ...rest,
});

function failure(inventory: unknown, extra: Parameters<typeof planInventory>[1] = []): ClusterError {
  try {
    planInventory(inventory, extra);
  } catch (error) {
    if (error instanceof ClusterError) return error;
    throw error;
  }
  throw new Error('expected an error');
}

describe('planInventory', () => {
  test('answers in exactly the shape that was promised', () => {
    const plan = planInventory(
      {
        machines,
        units: [
          unit('db.service', 'MachineMetadata=disk=ssd', { machine: 'gone' }),
          unit('log.service', 'Global=true'),
          unit('nowhere.service', 'MachineMetadata=disk=nvme'),
          unit('old.service', '', { machine: 'A', desired: 'inactive' }),
          unit('side.service', 'MachineOf=db.service', { machine: 'A' }),
          unit('stay.service', '', { machine: 'A' }),
        ],
      },
      [{ name: 'new.service', file: '', source: './new.service' }],
    );
    expect(plan.exit()).toBe(1);
    expect(json(plan)).toMatchInlineSnapshot(`
      {
        "global": [
          {
            "machines": [
              "A",
              "B",
            ],
            "unit": "log.service",
          },
        ],
        "placements": [
          {
            "machine": "B",
            "previous": "gone",
            "reason": "machine gone went away; least loaded machine that can run it",
            "unit": "db.service",
          },
          {
            "machine": "A",
            "previous": null,
            "reason": "least loaded machine",
            "unit": "new.service",
          },
          {
            "machine": "B",
            "previous": "A",
            "reason": "follows db.service; next to db.service",
            "unit": "side.service",
          },
          {
            "machine": "A",
            "previous": "A",
            "reason": "stays on A",
            "unit": "stay.service",
          },
        ],
        "refusals": [
          {
            "previous": null,
            "reasons": [
              {
                "detail": "MachineMetadata wants disk=nvme; this machine has no disk",
                "machine": "A",
                "rule": "machine-metadata",
              },
              {
                "detail": "MachineMetadata wants disk=nvme; this machine has disk=ssd",
                "machine": "B",
                "rule": "machine-metadata",
              },
            ],
            "unit": "nowhere.service",
          },
        ],
        "steps": [
          {
            "action": "stop",
            "machine": "A",
            "reason": "should be inactive",
            "unit": "old.service",
          },
          {
            "action": "stop",
            "machine": "A",
            "reason": "moves to B: follows db.service; next to db.service",
            "unit": "side.service",
          },
          {
            "action": "remove",
            "machine": "A",
            "reason": "should be inactive",
            "unit": "old.service",
          },
          {
            "action": "remove",
            "machine": "A",
            "reason": "moves to B: follows db.service; next to db.service",
            "unit": "side.service",
          },
          {
            "action": "install",
            "machine": "A",
            "reason": "global unit",
            "unit": "log.service",
          },
          {
            "action": "install",
            "machine": "A",
            "reason": "least loaded machine",
            "unit": "new.service",
          },
          {
            "action": "reload",
            "machine": "A",
            "reason": "4 unit files changed",
            "unit": "",
          },
          {
            "action": "start",
            "machine": "A",
            "reason": "global unit",
            "unit": "log.service",
          },
          {
            "action": "start",
            "machine": "A",
            "reason": "least loaded machine",
            "unit": "new.service",
          },
          {
            "action": "install",
            "machine": "B",
            "reason": "machine gone went away; least loaded machine that can run it",
            "unit": "db.service",
          },
          {
            "action": "install",
            "machine": "B",
            "reason": "global unit",
            "unit": "log.service",
          },
          {
            "action": "install",
            "machine": "B",
            "reason": "follows db.service; next to db.service",
            "unit": "side.service",
          },
          {
            "action": "reload",
            "machine": "B",
            "reason": "3 unit files changed",
            "unit": "",
          },
          {
            "action": "start",
            "machine": "B",
            "reason": "machine gone went away; least loaded machine that can run it",
            "unit": "db.service",
          },
          {
            "action": "start",
            "machine": "B",
            "reason": "global unit",
            "unit": "log.service",
          },
          {
            "action": "start",
            "machine": "B",
            "reason": "follows db.service; next to db.service",
            "unit": "side.service",
          },
        ],
        "warnings": [],
      }
    `);
  });

  test('has nothing to say when all is where it should be', () => {
    const plan = planInventory({
      machines,
      units: [
        unit('a.service', 'Conflicts=b.service', { machine: 'A' }),
        unit('b.service', '', { machine: 'B', desired: 'loaded' }),
        unit('g.service', 'Global=true', { machines: ['A', 'B'] }),
        unit('t@.service', '', { desired: 'inactive' }),
      ],
    });
    expect(plan.exit()).toBe(0);
    expect(json(plan)).toEqual({
      placements: [
        { unit: 'a.service', machine: 'A', previous: 'A', reason: 'stays on A' },
        { unit: 'b.service', machine: 'B', previous: 'B', reason: 'stays on B' },
      ],
      global: [{ unit: 'g.service', machines: ['A', 'B'] }],
      refusals: [],
      steps: [],
      warnings: [],
    });
  });

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

describe('what fleet passes over', () => {
  test('is passed over with a warning: metadata that is no pair, a malformed pattern', () => {
    const rules = 'MachineMetadata=ssd\nMachineMetadata=disk=ssd\nConflicts=[ b.service';
    const there = unit('b.service', '', { machine: 'A' });
    const plan = planInventory({ machines, units: [unit('a.service', rules), there] });
    expect(plan.refusals).toEqual([]);
    expect(plan.placements[0]).toMatchObject({ unit: 'a.service', machine: 'B' });
    expect(plan.warnings).toHaveLength(2);
  });
});

describe('a bad inventory', () => {
  test.each([
    ['not a map', [], 'the inventory must be a map, found a list'],
    ['no machines', {}, 'the inventory has no "machines"'],
    ['unknown key', { machines: [], unit: [] }, 'the inventory has the unknown key "unit"'],
    ['machines no list', { machines: {} }, '"machines" must be a list, found a map'],
    ['machine without id', { machines: [{}] }, 'machines[0].id is missing'],
    ['empty id', { machines: [{ id: '' }] }, 'machines[0].id is empty'],
    ['id a number', { machines: [{ id: 7 }] }, 'machines[0].id must be text, found the number 7'],
    ['machine twice', { machines: [{ id: 'A' }, { id: 'A' }] }, 'machine A is listed twice'],
    [
      'metadata a number',
      { machines: [{ id: 'A', metadata: { k: 1 } }] },
      'machines[0].metadata.k must be text, found the number 1',
    ],
    [
      'unit twice',
      { machines, units: [unit('a.service'), unit('a.service')] },
      'unit a.service is listed twice',
    ],
    ['no file', { machines, units: [{ name: 'a.service' }] }, 'file of a.service is missing'],
    [
      'desired state',
      { machines, units: [unit('a.service', '', { desired: 'lunched' })] },
      'desired of a.service is "lunched", not one of inactive, loaded, launched',
    ],
    [
      'machine of a global unit',
      { machines, units: [unit('g.service', 'Global=true', { machine: 'A' })] },
      'global unit g.service has a "machine"',
    ],
  ])('%s', (_title, inventory, message) => {
    const error = failure(inventory);
    expect([error.code, error.message, error.exit]).toEqual(['inventory-invalid', message, 1]);
  });

  test('names the nearest known key', () => {
    expect(failure({ machines: [{ id: 'A', metdata: {} }] }).hint).toMatch(/^did you mean "metadata"\?/);
  });

  test('refuses an active template', () => {
    expect(failure({ machines, units: [unit('t@.service')] })).toMatchObject({
      code: 'template-active',
      place: { unit: 't@.service' },
    });
  });

  test('names unit, file and line of a broken unit, and reports all of them', () => {
    const broken = { name: 'b.service', file: '[X-Fleet]\nConflict=x\n', source: './b.service' };
    expect(failure({ machines }, [broken]).place).toMatchObject({
      unit: 'b.service',
      file: './b.service',
      line: 2,
    });
    const both = failure({ machines, units: [unit('c.service', 'Nonsense=1')] }, [broken]);
    expect(both).toBeInstanceOf(ClusterErrors);
    expect((both as ClusterErrors).errors).toHaveLength(2);
  });
});
