import { describe, expect, test } from 'vitest';
import { readRequestLog } from '../../../src/lib/gateway/haproxy/requests/log.ts';
import type { ServedRequest } from '../../../src/lib/gateway/model.ts';
import { Breaker } from '../../../src/lib/gateway/requests/breaker.ts';
import { type BreakerRule, breakerRules } from '../../../src/lib/gateway/requests/rules.ts';
import { Window } from '../../../src/lib/gateway/requests/window.ts';
import { readTraffic } from '../../../src/lib/traffic/index.ts';

const rule = (condition: string): BreakerRule => ({
  frontend: 'f',
  middleware: 'm',
  condition,
  fallbackMs: 1000,
  recoveryMs: 2000,
  checkMs: 100,
  onTripped: null,
  onStandby: null,
});

/** A line as HAProxy logs it: status, termination state, latency. */
interface Logged {
  readonly st?: number;
  readonly ts?: string;
  readonly tr?: number;
}

const line = (more: Logged = {}): ServedRequest => {
  const request = readRequestLog(JSON.stringify({ fe: 'f', m: 'GET', st: 200, ts: '--', tr: 10, ...more }));
  if (request === null) throw new Error('not a log line');
  return request;
};

function fed(condition: string, ...lines: Logged[]): Breaker {
  const breaker = new Breaker(rule(condition));
  for (const item of lines) breaker.record(0, line(item));
  return breaker;
}

describe('trips', () => {
  test.each<[string, Logged[], boolean]>([
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
    expect(breaker.isOpen).toBe(trips);
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
    expect(breaker.isOpen).toBe(false);
  });

  test('while it recovers, more and more passes, up to half', () => {
    const breaker = fed('NetworkErrorRatio() > 0.5', { st: 502 });
    breaker.tick(0);
    breaker.tick(1000);
    const passing = { first: 0, second: 0 };
    for (let now = 1010; now < 3000; now += 10) {
      breaker.tick(now);
      if (!breaker.isOpen) passing[now < 2000 ? 'first' : 'second']++;
    }
    expect(passing.first).toBeGreaterThan(5);
    expect(passing.second).toBeGreaterThan(passing.first);
    expect(passing.first + passing.second).toBeLessThan(100);
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
    { frontend: 'f', status: 200, latencyMs: -1, requestHeaders: { Host: 'x' } },
  ],
  ['{"fe":"f","st":"oops","rq":"oops"}', { frontend: 'f', status: -1, requestHeaders: {} }],
])('a log line %s', (text, found) => expect(readRequestLog(text)).toMatchObject(found));

test.each(['', 'text', '{"fe":"f"', '{}', '[]', '{"fe":""}', '{"fe":'])('no log line: %j', (text) =>
  expect(readRequestLog(text)).toBeNull(),
);

test('rules come from the cbreaker middlewares of a state, times in milliseconds', () => {
  const entry = (path: string, value: object) => ({
    path,
    value: JSON.stringify(value),
    revision: 1,
    lease: null,
  });
  const state = readTraffic(
    '/vulcand/',
    [
      entry('backends/b/backend', { Type: 'http' }),
      entry('frontends/f/frontend', { Type: 'http', BackendId: 'b', Route: 'Path("/")' }),
      entry('frontends/f/middlewares/limit', {
        Type: 'connlimit',
        Priority: 1,
        Middleware: { Connections: 5, Variable: 'client.ip' },
      }),
      entry('frontends/f/middlewares/m', {
        Type: 'cbreaker',
        Priority: 1,
        Middleware: {
          Condition: 'NetworkErrorRatio() > 0.5',
          Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'x' } },
          FallbackDuration: 1e9,
          RecoveryDuration: 2e9,
          CheckPeriod: 1e8,
        },
      }),
    ],
    1,
  );
  expect(breakerRules(state)).toEqual([rule('NetworkErrorRatio() > 0.5')]);
});
