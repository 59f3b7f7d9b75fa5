import { expect, test } from 'vitest';
import { machineOf } from '../../../../src/lib/plan/rules/machine-of.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('A'), machine('B')];
const units = [
  unit('global.service', 'Global=true', ['B']),
  unit('lead.service', '', 'A'),
  unit('nowhere.service'),
  unit('other.service', '', 'B'),
  { ...unit('off.service'), desired: 'inactive' as const },
];

test.each([
  ['nobody', '', [null, null]],
  ['a unit on A', 'MachineOf=lead.service', [null, 'MachineOf=lead.service, which is on A']],
  [
    'a global unit on B',
    'MachineOf=global.service',
    ['MachineOf=global.service, a global unit that does not run here', null],
  ],
  [
    'units on two machines',
    'MachineOf=lead.service\nMachineOf=other.service',
    ['MachineOf=other.service, which is on B', 'MachineOf=lead.service, which is on A'],
  ],
  [
    'a unit without a machine',
    'MachineOf=nowhere.service',
    Array(2).fill('MachineOf=nowhere.service, which has no machine itself'),
  ],
  ['an inactive unit', 'MachineOf=off.service', Array(2).fill('MachineOf=off.service, which is inactive')],
  ['an unknown unit', 'MachineOf=no.service', Array(2).fill('MachineOf=no.service, which does not exist')],
  ['itself', 'MachineOf=a.service', Array(2).fill('MachineOf names the unit itself')],
])('a unit that follows %s', (_title, fleet, expected) => {
  const found = ask(machineOf, { machines, units: [...units, unit('a.service', fleet)] }, 'a.service');
  expect(Object.values(found)).toEqual(expected);
});

test('units that follow each other, and one that follows them', () => {
  const circle = [unit('x.service', 'MachineOf=y.service'), unit('y.service', 'MachineOf=x.service')];
  const snapshot = { machines: [machine('A')], units: [...circle, unit('z.service', 'MachineOf=x.service')] };
  expect(ask(machineOf, snapshot, 'x.service')).toEqual({
    A: 'MachineOf goes in a circle: x.service -> y.service -> x.service',
  });
  expect(ask(machineOf, snapshot, 'z.service')).toEqual({
    A: 'MachineOf=x.service, which has no machine itself',
  });
});

test('says the same for all machines and for one', () => {
  expectAgreement(machineOf);
});
