import { describe, expect, test } from 'vitest';
import { planInventory } from '../../../src/lib/plan/index.ts';
import { json, machines, unit } from './support.ts';

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
            "scores": [
              {
                "machine": "B",
                "score": {
                  "units": 1,
                },
              },
            ],
            "unit": "db.service",
          },
          {
            "machine": "A",
            "previous": null,
            "reason": "least loaded machine",
            "scores": [
              {
                "machine": "A",
                "score": {
                  "units": 2,
                },
              },
              {
                "machine": "B",
                "score": {
                  "units": 2,
                },
              },
            ],
            "unit": "new.service",
          },
          {
            "machine": "B",
            "previous": "A",
            "reason": "follows db.service; next to db.service",
            "scores": [
              {
                "machine": "B",
                "score": {
                  "units": 2,
                },
              },
            ],
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
});
