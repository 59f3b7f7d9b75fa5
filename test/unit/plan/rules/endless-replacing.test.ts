import { expect, test } from 'vitest';
import { endlessReplacing } from '../../../../src/lib/plan/rules/endless-replacing.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('A'), machine('B')];
const units = [
  unit('new.service', 'Replaces=old@*'),
  unit('old@1.service', '', 'A'),
  unit('old@2.service', '', 'A'),
];

test.each([
  ['as long as units may replace others', true, null],
  ['once they may not', false, 'replacing old@1.service, old@2.service here would never come to an end'],
])('%s', (_title, mayReplace, expected) => {
  const found = ask(endlessReplacing, { machines, units }, 'new.service', mayReplace);
  expect(found).toEqual({ A: expected, B: null });
});

test('says the same for all machines and for one', () => {
  expectAgreement(endlessReplacing);
});
