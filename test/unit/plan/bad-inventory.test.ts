import { describe, expect, test } from 'vitest';
import { ClusterErrors } from '../../../src/lib/error.ts';
import { planInventory } from '../../../src/lib/plan/index.ts';
import { failure, machines, unit } from './support.ts';

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
