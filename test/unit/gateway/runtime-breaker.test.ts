import { describe, expect, test } from 'vitest';
import { Breaker } from '../../../src/lib/gateway/haproxy/requests/breaker.ts';
import { type RequestLog, readRequestLog } from '../../../src/lib/gateway/haproxy/requests/log.ts';
import { Window } from '../../../src/lib/gateway/haproxy/requests/window.ts';
import type { BreakerRule } from '../../../src/lib/gateway/model.ts';

const rule = (condition: string): BreakerRule => ({
  frontend: 'f',
  middleware: 'm',
  condition,
  map: 'breakers.map',
  key: 'f/m',
  fallbackMs: 1000,
  recoveryMs: 2000,
  checkMs: 100,
  onTripped: null,
  onStandby: null,
});

const line = (more: Partial<RequestLog> = {}): RequestLog => ({
  fe: 'f',
  be: 'b',
  srv: 's',
  m: 'GET',
  st: 200,
  ts: '--',
  tr: 10,
  path: '/',
  rq: {},
  rs: {},
  ...more,
});

function fed(condition: string, ...lines: Partial<RequestLog>[]): Breaker {
  const breaker = new Breaker(rule(condition));
  for (const item of lines) breaker.record(0, line(item));
  return breaker;
}

describe('trips', () => {
  test.each<[string, Partial<RequestLog>[], boolean]>([
    ['NetworkErrorRatio() > 0.5', [{ st: 502 }, { st: 504 }, {}], true],
    ['NetworkErrorRatio() > 0.5', [{ st: 503, ts: 'SC' }, { st: 503, ts: 'SC' }, {}], true],
    ['NetworkErrorRatio() > 0.5', [{ st: 502 }, {}], false],
    [
      'NetworkErrorRatio() > 0.5',
      [
        { st: 503, ts: 'LR' },
        { st: 502, ts: 'PR' },
      ],
      false,
    ],
    ['ResponseCodeRatio(500, 600, 0, 600) > 0.4', [{ st: 500 }, {}], true],
    ['ResponseCodeRatio(500, 501, 200, 300) >= 1.0', [{ st: 500 }, {}], true],
    ['ResponseCodeRatio(500, 600, 0, 600) > 0.4', [], false],
    ['LatencyAtQuantileMS(50.0) > 90', [{ tr: 100 }, { tr: 100 }, { tr: 1 }], true],
    ['LatencyAtQuantileMS(50.0) > 90', [{ tr: 100 }, { tr: 1 }, { tr: 1 }], false],
    ['LatencyAtQuantileMS(99.0) > 900 || NetworkErrorRatio() > 0.9', [{ tr: 1000 }], true],
  ])('%s after %j: %s', (condition, lines, trips) => {
    const breaker = fed(condition, ...lines);
    expect(breaker.tick(50)).toBe(trips ? 'tripped' : null);
    expect(breaker.closed).toBe(trips);
  });
});

describe('goes through its states', () => {
  test('tripped for the fallback time, then recovering, then standby', () => {
    const breaker = fed('NetworkErrorRatio() > 0.5', { st: 502 });
    expect(breaker.tick(100)).toBe('tripped');
    expect(breaker.tick(1000)).toBeNull();
    expect(breaker.tick(1100)).toBe('recovering');
    expect(breaker.tick(3000)).toBeNull();
    expect(breaker.tick(3100)).toBe('standby');
    expect(breaker.closed).toBe(false);
  });

  test('while it recovers, more and more passes, up to half', () => {
    const breaker = fed('NetworkErrorRatio() > 0.5', { st: 502 });
    breaker.tick(0);
    breaker.tick(1000);
    const open = { first: 0, second: 0 };
    for (let now = 1010; now < 3000; now += 10) {
      breaker.tick(now);
      if (!breaker.closed) open[now < 2000 ? 'first' : 'second']++;
    }
    expect(open.first).toBeGreaterThan(5);
    expect(open.second).toBeGreaterThan(open.first);
    expect(open.first + open.second).toBeLessThan(100);
  });

  test('an error while it recovers trips it again; one that was on its way does not', () => {
    const breaker = fed('NetworkErrorRatio() > 0.5', { st: 502 });
    breaker.tick(0);
    breaker.record(500, line({ st: 502 }));
    expect(breaker.tick(1000)).toBe('recovering');
    expect(breaker.tick(1200)).toBeNull();
    breaker.record(1250, line({ st: 502 }));
    expect(breaker.tick(1300)).toBe('tripped');
  });
});

test('the window forgets after ten seconds', () => {
  const window = new Window();
  window.record(500, { status: 500, networkError: false, latencyMs: 70 });
  window.record(8000, { status: 200, networkError: false, latencyMs: 5 });
  expect(window.metrics(9000).codeRatio(500, 600, 0, 600)).toBe(0.5);
  expect(window.metrics(10_500).codeRatio(500, 600, 0, 600)).toBe(0);
  expect(window.metrics(9000).latencyMs(99)).toBeGreaterThan(67);
  expect(window.metrics(9000).latencyMs(99)).toBeLessThan(71);
});

test.each([
  [
    '<134>Nov 23 haproxy[1]: {"fe":"f","st":200,"tr":-1,"rq":{"Host":"x"}}',
    { fe: 'f', st: 200, rq: { Host: 'x' } },
  ],
  ['{"fe":"f","st":"oops","rq":"oops"}', { fe: 'f', st: -1, rq: {} }],
])('a log line %s', (text, found) => expect(readRequestLog(text)).toMatchObject(found));

test.each(['', 'text', '{"fe":"f"', '{}', '[]', '{"fe":""}', '{"fe":'])('no log line: %j', (text) =>
  expect(readRequestLog(text)).toBeNull(),
);
