import { describe, expect, test } from 'vitest';
import { parseRoute, select } from '../../../src/lib/route/index.ts';
import { request } from './support.ts';

const frontends = (routes: Record<string, string>) =>
  Object.entries(routes).map(([id, text]) => ({ id, route: parseRoute(text) }));

describe('select', () => {
  test.each([
    ['nothing', { a: 'Path("/a")' }, null, 'no route matches'],
    ['one', { a: 'Path("/x")' }, 'a', 'no host and exact path; no other matched'],
    [
      'exact host before a catch-all',
      { all: 'PathRegexp(".*")', shop: 'Host("h.example") && PathRegexp(".*")' },
      'shop',
      'exact host and path regular expression, before all by its host (exact host before no host); 1 other matched: all',
    ],
    [
      'exact path before a regular expression',
      { all: 'Host("h.example") && PathRegexp(".*")', one: 'Host("h.example") && Path("/x")' },
      'one',
      'exact host and exact path, before all by its path (exact path before path regular expression); 1 other matched: all',
    ],
    [
      'host first, path second',
      { path: 'Path("/x")', host: 'HostRegexp("h")' },
      'host',
      'host regular expression and no path, before path by its host (host regular expression before no host); 1 other matched: path',
    ],
    [
      'longer host',
      { short: 'HostRegexp("h")', long: 'Host("<x>.example")' },
      'long',
      'host pattern and no path, before short by its longer host; 1 other matched: short',
    ],
    [
      'longer path',
      { short: 'PathRegexp("^/")', long: 'PathRegexp("^/x")' },
      'long',
      'no host and path regular expression, before short by its longer path; 1 other matched: short',
    ],
    [
      'more conditions',
      { one: 'Path("/x")', two: 'Path("/x") && !Method("POST")' },
      'two',
      'no host and exact path, before one by more conditions (2 against 1); 1 other matched: one',
    ],
    [
      "vulcand's order",
      { get: 'Method("GET") && Path("/x")', any: 'MethodRegexp("G") && Path("/x")' },
      'any',
      'no host and exact path, before get by the reverse alphabetical order of the routes; 1 other matched: get',
    ],
    [
      'the same route twice',
      { b: 'Path("/x")', a: 'Path("/x")' },
      'a',
      'no host and exact path, before b by its smaller id; 1 other matched: b',
    ],
    [
      'the best alternative of ||',
      { either: 'Path("/y") || Host("h.example") && Path("/x")', host: 'Host("h.example")' },
      'either',
      'exact host and exact path, before host by its path (exact path before no path); 1 other matched: host',
    ],
    [
      'only an alternative that matches counts',
      { either: 'Host("other") && Path("/x") || PathRegexp(".*")', path: 'Path("/x")' },
      'path',
      'no host and exact path, before either by its path (exact path before path regular expression); 1 other matched: either',
    ],
    [
      'many',
      Object.fromEntries(
        [...'abcdefg'].map((id) => [id, `PathRegexp("${'.'.repeat(2)}${'?'.repeat(id === 'c' ? 1 : 0)}")`]),
      ),
      'c',
      'no host and path regular expression, before a by its longer path; 6 others matched: a, b, d, e, f, 1 more',
    ],
  ])('%s', (_name, routes, winner, reason) => {
    const found = select(frontends(routes), request('/x', 'h.example'));
    expect(found).toMatchObject({ winner, reason });
  });

  test.each([
    ['/v42/x', 'int'],
    ['/v42abc/x', 'string'],
    ['/7', 'digits'],
    ['/y', 'run'],
    ['/y/z/q', 'rest'],
  ])('narrower patterns first: %s', (path, winner) => {
    const all = frontends({
      int: 'Path("/v<int:version>/<name>")',
      string: 'Path("/<string:version>/<name>")',
      digits: 'Path("/<int:n>")',
      run: 'Path("/<name>")',
      rest: 'Path("/<path:rest>")',
    });
    expect(select(all, request(path)).winner).toBe(winner);
  });
});
