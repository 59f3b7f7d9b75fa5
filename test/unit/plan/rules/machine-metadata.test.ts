import { expect, test } from 'vitest';
import { machineMetadata } from '../../../../src/lib/plan/rules/machine-metadata.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [
  machine('bare'),
  machine('fast', { metadata: { disk: 'ssd', zone: 'a' } }),
  machine('slow', { metadata: { disk: 'hdd', zone: 'a' } }),
];

test.each([
  ['nothing', '', [null, null, null]],
  [
    'one value',
    'MachineMetadata=disk=ssd',
    [
      'MachineMetadata wants disk=ssd; this machine has no disk',
      null,
      'MachineMetadata wants disk=ssd; this machine has disk=hdd',
    ],
  ],
  [
    'one of two values',
    'MachineMetadata=disk=ssd\nMachineMetadata=disk=hdd',
    ['MachineMetadata wants disk=hdd or disk=ssd; this machine has no disk', null, null],
  ],
  [
    'two keys',
    'MachineMetadata="disk=hdd" "zone=a"',
    [
      'MachineMetadata wants disk=hdd; this machine has no disk',
      'MachineMetadata wants disk=hdd; this machine has disk=ssd',
      null,
    ],
  ],
  [
    'a key that every object has',
    'MachineMetadata=constructor=x',
    Array(3).fill('MachineMetadata wants constructor=x; this machine has no constructor'),
  ],
])('a unit that asks for %s', (_title, fleet, expected) => {
  const found = ask(machineMetadata, { machines, units: [unit('a.service', fleet)] }, 'a.service');
  expect(Object.values(found)).toEqual(expected);
});

test('says the same for all machines and for one', () => {
  expectAgreement(machineMetadata);
});
