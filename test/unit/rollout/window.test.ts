import { describe, expect, test } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';
import { formatWindow, isOpen, opensAt, parseWindow } from '../../../src/lib/rollout/window.ts';

const at = (iso: string): number => Date.parse(iso);
const window = (text: string) => parseWindow(text, 'UTC');

test.each([
  // 2026-11-26 is a Thursday.
  ['Thu 23:00 1h30m', '2026-11-26T22:59:59Z', false],
  ['Thu 23:00 1h30m', '2026-11-26T23:00:00Z', true],
  ['Thu 23:00 1h30m', '2026-11-27T00:29:59Z', true],
  ['Thu 23:00 1h30m', '2026-11-27T00:30:00Z', false],
  ['Thu 23:00 1h30m', '2026-11-27T23:00:00Z', false],
  ['Thu 23:00 24h', '2026-11-27T22:59:00Z', true],
  ['23:50 20m', '2026-11-26T00:05:00Z', true],
  ['23:50 20m', '2026-11-26T00:10:00Z', false],
  ['Sat 23:30 1h', '2026-11-29T00:15:00Z', true],
  ['Fri-Mon 02:00 1h', '2026-11-29T02:30:00Z', true],
  ['Fri-Mon 02:00 1h', '2026-11-26T02:30:00Z', false],
  ['mon,WED,friday 00:00 1m', '2026-11-25T00:00:30Z', true],
  ['daily 12:00 1h', '2026-11-25T12:59:00Z', true],
  // 23:00 in Berlin is 22:00 UTC in winter and 21:00 UTC in summer.
  ['Thu 23:00 1h Europe/Berlin', '2026-11-26T22:30:00Z', true],
  ['Thu 23:00 1h Europe/Berlin', '2026-11-26T23:00:00Z', false],
  ['Thu 23:00 1h Europe/Berlin', '2026-07-02T21:30:00Z', true],
  // Thursday in Auckland is Wednesday in UTC; Los Angeles is behind.
  ['Thu 01:00 1h Pacific/Auckland', '2026-11-25T12:30:00Z', true],
  ['Wed 20:00 1h America/Los_Angeles', '2026-11-26T04:30:00Z', true],
  ['Thu 05:00 30m Asia/Kolkata', '2026-11-25T23:45:00Z', true],
  // 2026-03-29: 02:30 does not exist in Berlin, so that it opens an hour later; its length is in real time.
  ['Sun 02:30 30m Europe/Berlin', '2026-03-29T01:45:00Z', true],
  ['Sun 02:30 30m Europe/Berlin', '2026-03-29T02:00:00Z', false],
  ['Sun 01:30 1h Europe/Berlin', '2026-03-29T01:29:00Z', true],
  ['Sun 01:30 1h Europe/Berlin', '2026-03-29T01:30:00Z', false],
])('%s at %s: open %s', (text, moment, expected) => {
  expect(isOpen(window(text), at(moment))).toBe(expected);
});

test('in autumn, when a time comes twice, it opens once', () => {
  const night = window('Sun 02:30 10m Europe/Berlin');
  const open = [at('2026-10-25T00:35:00Z'), at('2026-10-25T01:35:00Z')].filter((one) => isOpen(night, one));
  expect(open).toHaveLength(1);
});

test.each([
  ['Thu 23:00 1h', '2026-11-25T10:00:00Z', '2026-11-26T23:00:00.000Z'],
  ['Thu 23:00 1h', '2026-11-26T23:00:00Z', '2026-12-03T23:00:00.000Z'],
  ['Thu 23:00 1h Europe/Berlin', '2026-11-26T22:00:01Z', '2026-12-03T22:00:00.000Z'],
  ['00:00 1h', '2026-11-25T23:59:59Z', '2026-11-26T00:00:00.000Z'],
])('%s after %s opens at %s', (text, moment, expected) => {
  expect(new Date(opensAt(window(text), at(moment))).toISOString()).toBe(expected);
});

test('a window is written with its zone', () => {
  expect(formatWindow(parseWindow('Fri-Sat 02:05 90m', 'Europe/Berlin'))).toBe(
    'Fri,Sat 02:05 1h30m Europe/Berlin',
  );
  expect(formatWindow(window('* 2:00 1h'))).toBe('02:00 1h UTC');
});

describe('what is no window, or never opens, is refused', () => {
  test.each([
    ['Thu 25:00 1h', 'never opens'],
    ['Thu 23:60 1h', 'never opens'],
    ['Thu 23:00 0m', 'never opens'],
    ['Thu 23:00 0h0m', 'never opens'],
    ['Thu 23:00', 'is not a day, a time and a duration'],
    ['', 'is not a day, a time and a duration'],
    ['Thu 23:00 1h30', 'is not a day, a time and a duration'],
    ['Thu 23:00 -1h', 'is not a day, a time and a duration'],
    ['Thu 23:00 25h', 'open for more than a day'],
    ['Tho 23:00 1h', 'names no day of the week'],
    ['Mon- 23:00 1h', 'names no day of the week'],
    ['Mon-Tue-Wed 23:00 1h', 'names no day of the week'],
    ['Thu 23:00 1h Europe/Berlib', 'names no time zone'],
  ])('%j', (text, what) => {
    const read = (): unknown => parseWindow(text, 'UTC');
    expect(read).toThrow(ClusterError);
    expect(read).toThrow(what);
  });
});
