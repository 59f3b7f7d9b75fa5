import { expect, test } from 'vitest';
import { place } from '../../../../src/lib/plan/index.ts';
import { machine, unit } from '../rules/ask.ts';

const GB = 2 ** 30;

/** Where a new unit goes, and how the first machines were ranked. */
function placed(
  machines: Parameters<typeof place>[0]['machines'],
  units: ReturnType<typeof unit>[],
  name: string,
) {
  const { placements } = place({ machines, units }, undefined, { scores: true });
  const { machine: on, reason, scores } = placements.find((one) => one.unit === name) ?? {};
  return { on, reason, scores };
}

const zones = [
  machine('A', { metadata: { zone: 'a' } }),
  machine('B', { metadata: { zone: 'a' } }),
  machine('C', { metadata: { zone: 'b' } }),
  machine('D'),
];

test('Spread takes the value with the fewest instances, whatever else is there', () => {
  const others = ['x', 'y', 'z'].map((name) => unit(`${name}.service`, '', 'C'));
  const units = [unit('w@1.service', 'Spread=zone', 'A'), unit('w@2.service', 'Spread=zone'), ...others];
  const { on, reason, scores } = placed(zones, units, 'w@2.service');
  expect([on, reason]).toEqual(['C', 'best machine by Spread']);
  expect(scores).toEqual([
    { machine: 'C', score: { 'spread zone': 0, units: 3 } },
    { machine: 'B', score: { 'spread zone': 1, units: 0 } },
    { machine: 'A', score: { 'spread zone': 1, units: 1 } },
  ]);
});

test('Spread keeps the difference between values at 1 where nothing stands against it', () => {
  const count = (name: string): number => {
    const units = Array.from({ length: 25 }, (_, i) => unit(`w@${i}.service`, 'Spread=zone'));
    const { placements } = place({ machines: zones, units });
    const like = zones.filter(({ metadata }) => metadata.zone === name).map(({ id }) => id);
    return placements.filter(({ machine: id }) => like.includes(id)).length;
  };
  expect([count('a'), count('b')].sort()).toEqual([12, 13]);
});

test('of several keys the first one of Spread decides', () => {
  const machines = [
    machine('A', { metadata: { zone: 'a', rack: '1' } }),
    machine('B', { metadata: { zone: 'a', rack: '2' } }),
    machine('C', { metadata: { zone: 'b', rack: '1' } }),
  ];
  const wish = 'Spread=zone\nSpread=rack';
  const units = [unit('w@1.service', wish, 'A'), unit('w@2.service', wish), unit('w@3.service', wish)];
  expect(placed(machines, units, 'w@2.service').on).toBe('C');
  expect(placed(machines, units, 'w@3.service').on).toBe('B');
});

test.each([
  ['Prefer=zone=b', 'C'],
  ['Prefer=zone=b\nPrefer=zone=a', 'A'],
  ['Prefer=zone=none', 'A'],
  ['Spread=zone\nPrefer=zone=a', 'A'],
])('%s: %s', (wish, on) => {
  expect(placed(zones, [unit('w@1.service', wish)], 'w@1.service').on).toBe(on);
});

test('units that say what they take go where the smallest part is taken, and unknown machines come last', () => {
  const machines = [
    machine('A'),
    machine('B', { facts: { memory: 4 * GB, cpus: 2 } }),
    machine('C', { facts: { memory: 8 * GB, cpus: 2 } }),
  ];
  const units = [unit('a.service', 'Memory=2G', 'C'), unit('b.service', 'Memory=1G\nCpu=100m')];
  const { on, scores } = placed(machines, units, 'b.service');
  expect(on).toBe('B');
  expect(scores?.map(({ score }) => score.taken)).toEqual([0.278, 0.417, 1]);
});

test('nothing moves for a soft rule', () => {
  const units = [1, 2, 3].map((i) => unit(`w@${i}.service`, 'Spread=zone\nPrefer=zone=b\nMemory=1G', 'A'));
  expect(place({ machines: zones, units }).placements.map(({ machine: id }) => id)).toEqual(['A', 'A', 'A']);
});

test('scores are noted for new places only, and only where they are asked for', () => {
  const units = [unit('a.service', '', 'A'), unit('b.service')];
  expect(placed(zones, units, 'a.service').scores).toBeUndefined();
  expect(placed(zones, units, 'b.service').scores).toHaveLength(3);
  expect(place({ machines: zones, units }).placements[1]).not.toHaveProperty('scores');
});
