import { expect, test } from 'vitest';
import { inSeconds, keepAliveOf } from '../../src/lib/machine/ssh/keep-alive.ts';
import { nextAfter, Progress, summaryLine, waitingLine } from '../../src/lib/ui/progress.ts';

const job = (unit: string, seconds: number) =>
  ({ unit, machine: { id: 'abcdef0123456789' }, job: 'start', seconds }) as const;

test('a pipe is told after 5 s and then rarely, a terminal each second in one line', () => {
  for (const isTTY of [false, true]) {
    let text = '';
    const progress = new Progress({ isTTY, columns: 60, write: (more) => (text += more) });
    for (let seconds = 1; seconds <= 130; seconds++)
      progress.pending({ kind: 'pending', jobs: [job('a.service', seconds), job('b.service', 0)] });
    progress.pending({ kind: 'pending', jobs: [] });
    const told = [...text.matchAll(/Waiting (\d+) s for a\.service/g)].map(([, seconds]) => Number(seconds));
    if (isTTY) expect(told).toHaveLength(130);
    else expect(told).toEqual([5, 15, 30, 60, 120]);
    expect(text.endsWith(isTTY ? '\r\x1b[K' : '\n')).toBe(true);
  }
  expect([5, 15, 30, 60, 61].map(nextAfter)).toEqual([15, 30, 60, 120, 120]);
});

test('the longest wait is named, and a summary counts', () => {
  expect(waitingLine([job('a.service', 2), job('b.service', 9)])).toMatch(
    /^Waiting 9 s for b\.service on \S+ \(start job\) and 1 more$/,
  );
  const counts = {
    kind: 'summary',
    state: 'launched',
    done: 2,
    failed: 1,
    machines: 1,
    seconds: 1.25,
  } as const;
  expect(summaryLine(counts)).toBe('2 of 3 units launched, 1 failed, on 1 machine, in 1.3 s');
});

test('a silent machine is gone after the time that was asked for, or as the client is configured', () => {
  const total = ({ intervalMs, count = 3 }: { intervalMs: number; count?: number }) =>
    intervalMs * (count + 1);
  expect(total(keepAliveOf({}, {}))).toBe(10_000);
  expect(total(keepAliveOf({ goneAfterMs: 3000, goneAfterChosen: true }, { keepAliveMs: 60_000 }))).toBe(
    3000,
  );
  expect(keepAliveOf({ goneAfterMs: 3000 }, { keepAliveMs: 60_000 })).toEqual({ intervalMs: 60_000 });
  for (const goneAfterMs of [2000, 3000, 5000, 10_000, 61_000]) {
    const { interval, count } = inSeconds(keepAliveOf({ goneAfterMs, goneAfterChosen: true }, {}));
    expect(interval * (count + 1) * 1000).toBeLessThanOrEqual(goneAfterMs);
    expect(interval * (count + 1) * 1000).toBeGreaterThan(goneAfterMs / 2);
  }
});
