import { expect, test } from 'vitest';
import { unreachable } from '../../../../src/lib/plan/rules/unreachable.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('A'), machine('B', { unreachable: true })];

test.each([
  ['excludes the machine for an ordinary unit', '', 'the machine cannot be reached'],
  ['keeps a global unit there', 'Global=true', null],
])('%s', (_title, fleet, expected) => {
  const found = ask(unreachable, { machines, units: [unit('a.service', fleet)] }, 'a.service');
  expect(found).toEqual({ A: null, B: expected });
});

test('says the same for all machines and for one', () => {
  expectAgreement(unreachable);
});
