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

test('names the owners, and keeps the global units that every cordon names', () => {
  const by = (globals: readonly string[], reason?: string) => ({
    who: 'ada@desk',
    since: '2026-01-01T00:00:00.000Z',
    globals,
    ...(reason !== undefined && { reason }),
  });
  const closed = [
    machine('A', { cordons: {} }),
    machine('B', { cordons: { operator: by(['g.service'], 'new disks') } }),
    machine('C', {
      cordons: { operator: by(['g.service']), 'rollout/7': by([], 'drain') },
      unreachable: true,
    }),
  ];
  const why = (asked: ReturnType<typeof unit>) =>
    Object.values(ask(cordoned, { machines: closed, units: [asked] }, asked.name));
  const [b, c] = ['operator (new disks)', 'operator and rollout/7 (drain)'].map(
    (owners) => `the machine is cordoned by ${owners} and takes no new units`,
  );
  expect(why(unit('a.service'))).toEqual([null, b, c]);
  expect(why(unit('g.service', 'Global=true'))).toEqual([null, null, c]);
  expect(why(unit('new.service', 'Global=true'))).toEqual([null, b, c]);
});
