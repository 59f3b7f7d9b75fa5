import { expect, test } from 'vitest';
import { inBatches } from '../../../src/lib/store/limits.ts';
import { isLoopback } from '../../../src/lib/traffic/index.ts';

test('a long list is divided by number and by size, in its order', () => {
  const items = Array.from({ length: 250 }, (_, n) => n);
  expect(inBatches(items).map((batch) => batch.length)).toEqual([100, 100, 50]);
  expect(inBatches(items).flat()).toEqual(items);
  expect(inBatches([600_000, 300_000, 200_000, 2_000_000, 1], (size) => size)).toEqual([
    [600_000, 300_000],
    [200_000],
    [2_000_000],
    [1],
  ]);
  expect(inBatches([])).toEqual([]);
});

test('which hosts only their own computer can reach', () => {
  expect(['localhost', 'LOCALHOST', '127.0.0.1', '127.3.2.1', '::1'].every(isLoopback)).toBe(true);
  expect(['localhost.lan', '127.example.com', '10.0.0.1', '::2', ''].some(isLoopback)).toBe(false);
});
