import { expect, test } from 'vitest';
import { machineId } from '../../../../src/lib/plan/rules/machine-id.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('0123456789abcdef'), machine('fedcba9876543210')];

test.each([
  ['nothing', '', [null, null]],
  ['the full id', 'MachineID=0123456789abcdef', [null, 'MachineID=0123456789abcdef is not this machine']],
  ['the first eight characters', 'MachineID=fedcba98', ['MachineID=fedcba98 is not this machine', null]],
  ['seven characters', 'MachineID=fedcba9', Array(2).fill('MachineID=fedcba9 is not this machine')],
])('a unit that asks for %s', (_title, fleet, expected) => {
  expect(Object.values(ask(machineId, { machines, units: [unit('a.service', fleet)] }, 'a.service'))).toEqual(
    expected,
  );
});

test('says the same for all machines and for one', () => {
  expectAgreement(machineId);
});
