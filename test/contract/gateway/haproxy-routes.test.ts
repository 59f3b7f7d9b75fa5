import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../../../src/lib/gateway/haproxy/serving.ts';
import { decodeName, translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { parseRoute, requestOf, select } from '../../../src/lib/route/index.ts';
import { freePort } from '../../support/port.ts';
import { ROUTE_CASES, type RouteCase } from './support/haproxy-routes.ts';
import {
  ask,
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';

interface Case {
  readonly id: string;
  readonly area: string;
  readonly given: { readonly routes: readonly { readonly expr: string; readonly match: string }[] };
  readonly when: {
    readonly method: string;
    readonly url: string;
    readonly host: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly expect: { readonly match: string | null };
}

/** Cases that are answered otherwise on purpose: the more specific route wins. */
const DIFFERENCES: Readonly<Record<string, string>> = { 'route-308': 'host', 'route-310': 'exact' };

const file = new URL('../../conformance/vulcand.json', import.meta.url);
const conformance = (JSON.parse(readFileSync(file, 'utf8')) as Case[])
  .filter(({ area }) => area === 'route')
  .map((one): [string, RouteCase] => {
    const { method, url, host, headers } = one.when;
    const path = url.replace(/^http:\/\/[^/?]*/, '') || '/';
    const listed = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const line = [method, host, path, ...listed].join(' ');
    const routes = Object.fromEntries(
      one.given.routes.map(({ expr, match }) => [match.replaceAll('/', '|'), expr]),
    );
    const expected = DIFFERENCES[one.id] ?? one.expect.match?.replaceAll('/', '|') ?? null;
    return [one.id, { routes, requests: { [line]: expected } }];
  });

const cases: [string, RouteCase][] = [
  ...ROUTE_CASES.map((one, index): [string, RouteCase] => [Object.keys(one.routes).join(' ') + index, one]),
  ...conformance,
];

const parseLine = (line: string) => {
  const [method = '', host = '', path = '', ...rest] = line.split(' ');
  const text = rest.join(' ');
  const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(text) ?? [];
  // A request without a host is 400 whatever the routes are.
  const named = host === '' ? 'nobody.invalid' : host;
  return { method, path, headers: { host: named, ...(name !== '' && { [name]: value }) } };
};

/** Tells who would serve the request instead of passing it on. */
const telling = (serving: Serving): Serving => ({
  ...serving,
  structure: serving.structure.replace(
    /^( *http-request) track-sc0 .*$/m,
    '$1 return status 200 content-type text/plain lf-string %[var(txn.fe)]',
  ),
});

describe('who serves a request: the pure matcher, a real HAProxy and the table say the same', () => {
  let port = 0;
  beforeAll(async () => {
    ensureHaproxy();
    port = await freePort();
  });
  let haproxy: RunningHaproxy | undefined;
  afterAll(() => haproxy?.stop());

  test('has cases', () =>
    expect(cases.flatMap(([, { requests }]) => Object.keys(requests)).length).toBeGreaterThan(130));

  test.each(cases)('%s', async (_title, { routes, requests }) => {
    const entries = Object.entries(routes);
    const state = stateOf(
      Object.fromEntries(
        entries.map(([id, Route]) => [`frontends/${id}/frontend`, { Type: 'http', BackendId: 'b', Route }]),
      ),
    );
    const parsed = entries.map(([id, route]) => ({ id, route: parseRoute(route) }));
    haproxy = await runHaproxy((directory) => {
      const serving = translate(state, optionsFor(`127.0.0.1:${port}`, directory));
      expect(serving.leftOut).toEqual([]);
      return telling(serving);
    });
    try {
      for (const [line, expected] of Object.entries(requests)) {
        const { method, path, headers } = parseLine(line);
        const pure = select(parsed, requestOf({ method, url: path, headers })).winner;
        const answer = await ask(port, { method, path, headers });
        const real =
          answer.status === 404 ? null : decodeName(method === 'HEAD' ? (pure ?? '') : answer.body);
        expect({ line, pure, real, status: answer.status }).toEqual({
          line,
          pure: expected,
          real: expected,
          status: expected === null ? 404 : 200,
        });
      }
    } finally {
      await haproxy.stop();
      haproxy = undefined;
    }
  });

  test.each([
    ['Host("h")', 'HostRegexp(".*")'],
    ['Host("h")', 'Host("h") && Path("/a/b")'],
  ])('%s and %s: a host with a slash cannot ask for what is not its own', async (...routes) => {
    const state = stateOf(
      Object.fromEntries(
        routes.map((Route, n) => [`frontends/f${n}/frontend`, { Type: 'http', BackendId: 'b', Route }]),
      ),
    );
    haproxy = await runHaproxy((directory) =>
      telling(translate(state, optionsFor(`127.0.0.1:${port}`, directory))),
    );
    try {
      const status = async (host: string) => (await ask(port, { path: '/b', headers: { host } })).status;
      expect([await status('h'), await status('h/a')]).toEqual([200, 400]);
    } finally {
      await haproxy.stop();
      haproxy = undefined;
    }
  });
});
