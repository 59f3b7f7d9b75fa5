import { expect, test } from 'vitest';
import { cordoned } from '../../../../src/lib/plan/rules/cordoned.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [
  machine('A'),
  machine('B', { cordoned: true }),
  machine('C', { cordoned: true, unreachable: true }),
  machine('D', { unreachable: true }),
];
const closed = 'the machine is cordoned and takes no new units';

test.each([
  ['an ordinary unit', unit('a.service'), [null, closed, closed, null]],
  [
    'a global unit: not on C, where nobody could look',
    unit('a.service', 'Global=true'),
    [null, closed, null, null],
  ],
  ['a global unit that is there', unit('a.service', 'Global=true', ['B']), [null, null, null, null]],
])('keeps away %s', (_title, asked, expected) => {
  expect(Object.values(ask(cordoned, { machines, units: [asked] }, 'a.service'))).toEqual(expected);
});

test('says the same for all machines and for one', () => {
  expectAgreement(cordoned);
});
