import { expect, test } from 'vitest';
import { readLock } from '../../../src/lib/registry/validate-lock.ts';
import { readRollout } from '../../../src/lib/registry/validate-rollout.ts';
import { parseWindow } from '../../../src/lib/rollout/index.ts';
import { rolloutOf } from '../rollout/support.ts';

const HOLDER = { rollout: '7', since: '2026-11-25T18:00:00Z', bootId: 'b' };

test('a lock is read as it was written', () => {
  const lock = { v: 1, max: 1, holders: { m: HOLDER } };
  expect(readLock(JSON.stringify(lock))).toEqual(lock);
});

test.each([
  ['nothing', '', 'not JSON'],
  ['another version', { v: 2, max: 1, holders: {} }, 'version 2'],
  ['no number of slots', { v: 1, max: 'many', holders: {} }, '"max"'],
  ['no holders', { v: 1, max: 1 }, '"holders"'],
  [
    'a holder without its boot',
    { v: 1, max: 1, holders: { m: { ...HOLDER, bootId: 1 } } },
    '"bootId" of holder m',
  ],
])('%s is no lock', (_, value, message) => {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  expect(() => readLock(text)).toThrow(message);
});

const written = (more: object): string => JSON.stringify({ ...rolloutOf(1), kind: 'update', ...more });
const item = (more: object): object => ({ items: [{ ...rolloutOf(1).items[0], ...more }] });

test('a rollout of machines is read with its windows and packages', () => {
  const more = {
    windows: [parseWindow('Thu 23:00 1h', 'UTC')],
    rebootIfNeeded: true,
    ...item({
      unit: '',
      machine: 'm',
      group: 'a=b',
      well: ['x'],
      packages: [{ name: 'p', from: null, to: '1' }],
    }),
  };
  expect(readRollout(written(more), '7')).toMatchObject(more);
});

test.each([
  [{ windows: 'always' }, '"windows" is not a list'],
  [{ windows: [{ days: ['Thu'], start: 0, minutes: 1, zone: 'UTC' }] }, '"days" is no list of numbers'],
  [{ rebootIfNeeded: 'yes' }, '"rebootIfNeeded"'],
  [item({ well: [1] }), '"well" is no list of texts'],
  [item({ packages: [{}] }), '"name" is not a text'],
  [item({ group: 1 }), '"group" is not a text'],
])('%j is refused', (more, message) => {
  expect(() => readRollout(written(more), '7')).toThrow(message);
});
