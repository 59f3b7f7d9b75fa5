import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Checker, type Target } from '../../../src/lib/discovery/checker.ts';
import {
  afterProbe,
  type Health,
  type ProbeResult,
  UNKNOWN,
} from '../../../src/lib/discovery/offers/health.ts';

const GOOD: ProbeResult = { good: true, text: 'HTTP code 200' };
const BAD: ProbeResult = { good: false, text: 'HTTP code 500' };
const REFUSED: ProbeResult = { good: false, text: 'connection refused', refused: true };

beforeEach(() => void vi.useFakeTimers({ now: 0, toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const changes: string[] = [];
beforeEach(() => void changes.splice(0));
function checker(random = 0): Checker {
  return new Checker({
    changed: ({ key }, up, { text }, before) => {
      changes.push(`${Math.round(performance.now())} ${key} ${before} -> ${up}: ${text}`);
    },
    random: () => random,
  });
}

function target(probe: Target['probe'], more: Partial<Target> = {}): Target {
  return { key: 'a', signature: '1', intervalMs: 3000, rise: 1, fall: 1, fresh: false, probe, ...more };
}

const wait = (ms: number): Promise<ProbeResult> => new Promise((done) => setTimeout(() => done(GOOD), ms));

test('rise and fall count answers in a row', () => {
  const run = (answers: string, limits: { rise: number; fall: number }, from: Health = UNKNOWN): string =>
    [...answers]
      .map((answer) => {
        from = afterProbe(from, answer === '+', limits);
        return from.up === null ? '?' : from.up ? 'u' : 'd';
      })
      .join('');
  expect(run('+-+', { rise: 1, fall: 1 })).toBe('udu');
  expect(run('++-+--+-++', { rise: 2, fall: 2 })).toBe('?uuuudddd' + 'u');
  expect(run('-+--', { rise: 3, fall: 2 })).toBe('???d');
});

test('every check starts on the grid of the first, however long one took', async () => {
  const starts: number[] = [];
  const took = [0, 2900, 10, 3000, 500];
  const one = checker(0.5);
  one.set([
    target(() => {
      starts.push(performance.now());
      return wait(took[starts.length - 1] ?? 0);
    }),
  ]);
  await vi.advanceTimersByTimeAsync(15_100);
  expect(starts.map((at) => Math.round(at / 10))).toEqual([0, 300, 600, 900, 1200, 1500]);
  one.stop();
});

test('one that is late is not asked twice at once; the points it missed are passed over', async () => {
  let running = 0;
  let most = 0;
  const starts: number[] = [];
  const one = checker();
  const probe = async (): Promise<ProbeResult> => {
    starts.push(performance.now());
    most = Math.max(most, ++running);
    await wait(4000);
    running--;
    return GOOD;
  };
  one.set([target(probe)]);
  await vi.advanceTimersByTimeAsync(13_000);
  expect({ most, starts }).toEqual({ most: 1, starts: [0, 6000, 12_000] });
  one.stop();
});

test('sick within one interval of the first bad answer, well within one of the first good one', async () => {
  let answer = GOOD;
  const one = checker();
  one.set([target(async () => answer)]);
  await vi.advanceTimersByTimeAsync(100);
  expect(one.up('a')).toBe(true);
  answer = BAD;
  await vi.advanceTimersByTimeAsync(3000);
  expect(one.up('a')).toBe(false);
  answer = GOOD;
  await vi.advanceTimersByTimeAsync(3000);
  expect(one.up('a')).toBe(true);
  expect(changes).toEqual([
    '0 a null -> true: HTTP code 200',
    '3000 a true -> false: HTTP code 500',
    '6000 a false -> true: HTTP code 200',
  ]);
  one.stop();
});

test('what has just started is asked again soon, and not called sick while nothing listens', async () => {
  const one = checker(1);
  let open = false;
  one.set([target(async () => (open ? GOOD : REFUSED), { fresh: true })]);
  await vi.advanceTimersByTimeAsync(200);
  open = true;
  await vi.advanceTimersByTimeAsync(300);
  expect(changes).toEqual(['350 a null -> true: HTTP code 200']);
  one.stop();
});

test('what never listens is sick after one interval; what ran before us, at once', async () => {
  const one = checker();
  one.set([
    target(async () => REFUSED, { fresh: true }),
    target(async () => REFUSED, { key: 'b', fresh: false }),
  ]);
  await vi.advanceTimersByTimeAsync(5000);
  expect(changes[0]).toBe('0 b null -> false: connection refused');
  expect(changes[1]).toMatch(/^3\d\d\d a null -> false/);
  one.stop();
});

test('what is the same goes on; what is another starts anew; what is gone is asked no more', async () => {
  let asked = 0;
  const probe = async (): Promise<ProbeResult> => {
    asked++;
    return GOOD;
  };
  const one = checker();
  one.set([target(probe)]);
  await vi.advanceTimersByTimeAsync(1000);
  one.set([target(probe)]);
  expect(one.up('a')).toBe(true);
  one.set([target(probe, { signature: '2' })]);
  expect(one.up('a')).toBeNull();
  await vi.advanceTimersByTimeAsync(1000);
  one.set([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toBe(2);
});

test('first checks are spread, no further than the interval', async () => {
  const starts: number[] = [];
  let n = 0;
  const one = new Checker({ changed: () => undefined, random: () => n++ / 200 });
  const many = Array.from({ length: 200 }, (_, index) =>
    target(
      async () => {
        starts.push(performance.now());
        return GOOD;
      },
      { key: String(index), intervalMs: 800 },
    ),
  );
  one.set(many);
  await vi.advanceTimersByTimeAsync(799);
  expect(starts).toHaveLength(200);
  expect(starts.filter((at) => at < 80).length).toBeLessThan(25);
  one.stop();
});
