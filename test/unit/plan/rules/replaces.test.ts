import { expect, test } from 'vitest';
import { replacedAt, replaces } from '../../../../src/lib/plan/rules/replaces.ts';
import { ask, expectAgreement, machine, stateWithout, unit } from './ask.ts';

const machines = [machine('A'), machine('B')];

test.each([
  ['is not replaced', unit('a.service'), unit('b.service', 'Replaces=c.service', 'A'), null],
  [
    'is replaced by one that is here',
    unit('a.service'),
    unit('b.service', 'Replaces=a.*', 'A'),
    'b.service is here, and its Replaces= names this unit',
  ],
  [
    'is replaced by one that it replaces too',
    unit('a.service', 'Replaces=b.service'),
    unit('b.service', 'Replaces=a.service', 'A'),
    null,
  ],
  ['is global', unit('a.service', 'Global=true'), unit('b.service', 'Replaces=a.service', 'A'), null],
])('a unit that %s', (_title, asked, other, expected) => {
  expect(ask(replaces, { machines, units: [asked, other] }, asked.name)).toEqual({ A: expected, B: null });
});

test('names the units that a newcomer pushes away', () => {
  const units = [
    unit('new.service', 'Replaces=old@*'),
    unit('old@1.service', '', 'A'),
    unit('old@2.service', '', 'B'),
  ];
  const { state, asked } = stateWithout({ machines, units }, 'new.service');
  if (asked === undefined) throw new Error('new.service is wanted');
  expect(replacedAt(state, asked, 0).map(({ name }) => name)).toEqual(['old@1.service']);
});

test('says the same for all machines and for one', () => {
  expectAgreement(replaces);
});
