import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';
import * as route from '../../../src/lib/route/index.ts';

interface Case {
  readonly id: string;
  readonly area: string;
  readonly given: Record<string, unknown>;
  readonly when: Record<string, unknown>;
  readonly expect: Record<string, unknown>;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../conformance/${name}`, import.meta.url), 'utf8'));
const cases = read('vulcand.json') as Case[];
const differences = read('differences-vulcand.json') as Record<string, string>;

const accepted = (run: () => unknown): boolean => {
  try {
    run();
    return true;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return false;
  }
};

/** Sends a request again and again as vulcand does. */
const failover = (predicate: route.Predicate, method: string, codes: (attempt: number) => number) => {
  for (let attempts = 1; ; attempts++) {
    const status = codes(attempts);
    const networkError = status === 502 || status === 504;
    const again = route.evaluatePredicate(predicate, { networkError, attempts, method, status });
    if (!again || attempts >= route.MAX_FAILOVER_ATTEMPTS)
      return { upstream_attempts: attempts, client_status: status };
  }
};

const areas: Record<string, (one: Case) => Record<string, unknown>> = {
  route: ({ given, when }) => {
    const routes = given.routes as { expr: string; match: string }[];
    const frontends = routes.map(({ expr, match }) => ({ id: match, route: route.parseRoute(expr) }));
    expect(frontends.every((frontend) => route.isVulcandRoute(frontend.route))).toBe(true);
    const { method, url, host, headers } = when as {
      method: string;
      url: string;
      host: string;
      headers: object;
    };
    const request = route.requestOf({ method, url, headers: { host, ...headers } });
    return { match: route.select(frontends, request).winner };
  },
  'route-parse': ({ given }) => ({ error: !accepted(() => route.parseRoute(String(given.expr))) }),
  'route-rawpath': ({ given }) => ({
    path: route.requestOf({ method: 'GET', url: String(given.request_uri), headers: {} }).path,
  }),
  'failover-parse': ({ given }) => ({
    valid: accepted(() => route.parsePredicate(String(given.FailoverPredicate))),
  }),
  'failover-run': ({ given, when }) => {
    const predicate = route.parsePredicate(String(given.FailoverPredicate) || route.DEFAULT_FAILOVER);
    const codes = given.upstream_codes_in_order;
    const code = (attempt: number): number =>
      Number(Array.isArray(codes) ? codes[attempt - 1] : /^always (\d+)$/.exec(String(codes))?.[1]);
    return failover(predicate, String(when.method), code);
  },
};

const mine = cases.filter(({ area }) => area in areas);

const check = (one: Case): void => {
  const { note: _, ...expected } = one.expect;
  expect(areas[one.area]?.(one)).toEqual(expected);
};

describe("vulcand's conformance cases", () => {
  test('has cases to run', () => expect(mine.length).toBeGreaterThan(55));

  test.each(mine.filter(({ id }) => !(id in differences)).map((one) => [one.id, one] as const))(
    '%s',
    (_id, one) => check(one),
  );

  test.each(mine.filter(({ id }) => id in differences).map((one) => [one.id, one] as const))(
    '%s is answered differently, and still is',
    (_id, one) => expect(() => check(one)).toThrow(),
  );
});
