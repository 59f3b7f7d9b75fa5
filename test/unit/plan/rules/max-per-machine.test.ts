import { expect, test } from 'vitest';
import { maxPerMachine } from '../../../../src/lib/plan/rules/max-per-machine.ts';
import { ask, expectAgreement, machine, unit } from './ask.ts';

const machines = [machine('A'), machine('B')];

test.each([
  ['an instance that is there', ['w@1'], 'MaxPerMachine=1', '', 'MaxPerMachine=1, and w@1.service is here'],
  ['room for one more', ['w@1'], 'MaxPerMachine=2', 'MaxPerMachine=2', null],
  [
    'as many as may be',
    ['w@1', 'w@3'],
    'MaxPerMachine=2',
    'MaxPerMachine=2',
    'MaxPerMachine=2, and w@1.service, w@3.service are here',
  ],
  [
    'what is there sets the limit',
    ['w@1'],
    '',
    'MaxPerMachine=1',
    'MaxPerMachine=1 of a unit that is here, and w@1.service is here',
  ],
  ['another template', ['x@1'], 'MaxPerMachine=1', 'MaxPerMachine=1', null],
  ['a plain unit', ['w'], 'MaxPerMachine=1', 'MaxPerMachine=1', null],
])('%s', (_title, others, own, theirs, expected) => {
  const units = others.map((name) => unit(`${name}.service`, theirs, 'A'));
  const answer = ask(maxPerMachine, { machines, units: [...units, unit('w@2.service', own)] }, 'w@2.service');
  expect(answer).toEqual({ A: expected, B: null });
});

test('does not concern a unit that is no instance', () => {
  const units = [unit('a.service', 'MaxPerMachine=1', 'A'), unit('b.service', 'MaxPerMachine=1')];
  expect(ask(maxPerMachine, { machines, units }, 'b.service')).toEqual({ A: null, B: null });
});

test('says the same for all machines and for one', () => expectAgreement(maxPerMachine));
