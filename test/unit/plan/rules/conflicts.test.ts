import { expect, test } from 'vitest';
import { conflicts } from '../../../../src/lib/plan/rules/conflicts.ts';
import { ask, expectAgreement, machine, stateWithout, unit } from './ask.ts';

const machines = [machine('A'), machine('B'), machine('C')];
const units = [
  unit('global.service', 'Global=true', ['C']),
  unit('shy.service', 'Conflicts=web@*', 'B'),
  unit('web@1.service', '', 'A'),
];

test.each([
  ['no Conflicts', 'a.service', '', [null, null, null]],
  [
    'Conflicts of its own',
    'a.service',
    'Conflicts=web@*',
    ['Conflicts=web@* matches web@1.service, which is here', null, null],
  ],
  [
    'a name that the Conflicts of another matches',
    'web@2.service',
    '',
    [null, 'shy.service is here, and its Conflicts=web@* matches this unit', null],
  ],
  [
    'both',
    'web@2.service',
    'Conflicts=web@*',
    [
      'Conflicts=web@* matches web@1.service, which is here',
      'shy.service is here, and its Conflicts=web@* matches this unit',
      null,
    ],
  ],
  [
    'Conflicts with a global unit',
    'a.service',
    'Conflicts=global.service',
    [null, null, 'Conflicts=global.service matches global.service, which is here'],
  ],
])('a unit with %s', (_title, name, fleet, expected) => {
  expect(Object.values(ask(conflicts, { machines, units: [...units, unit(name, fleet)] }, name))).toEqual(
    expected,
  );
});

test('a unit that left no longer stands in the way, but one like it that stayed does', () => {
  const both = [
    unit('x@1.service', 'Conflicts=a.service', 'A'),
    unit('x@2.service', 'Conflicts=a.service', 'A'),
  ];
  const { state, asked } = stateWithout({ machines, units: [...both, unit('a.service')] }, 'a.service');
  const here = () => (asked === undefined ? '' : conflicts.why(state, asked, 0));
  const [first, second] = state.ordinaryOn(0).sort((a, b) => a.index - b.index);
  if (first === undefined || second === undefined) throw new Error('both units should be on A');
  state.remove(first);
  expect(here()).toBe('x@2.service is here, and its Conflicts=a.service matches this unit');
  state.remove(second);
  expect(here()).toBeNull();
});

test('says the same for all machines and for one', () => {
  expectAgreement(conflicts);
});
