import { describe, expect, test } from 'vitest';
import { contests, parseRoute, requestOf, select } from '../../../src/lib/route/index.ts';

const frontend = (id: string, route: string, yields = 0) => ({ id, route: parseRoute(route), yields });
const CONTAINERS = 'Host("shop.test") && PathRegexp(".*")';
const winner = (frontends: Parameters<typeof select>[0], path = '/') =>
  select(
    frontends,
    requestOf({ method: 'GET', url: `http://shop.test${path}`, headers: { host: ['shop.test'] } }),
  );

describe('of two frontends for one host', () => {
  test.each([
    'Host("shop.test")',
    CONTAINERS,
    'Host("shop.test") && PathRegexp("/")',
    'Host("SHOP.test") && Method("GET")',
  ])("the operator's %s goes before a registrator's, whatever their ids", (route) => {
    for (const id of ['a', 'z']) {
      const found = winner([frontend('m', CONTAINERS, 1), frontend(id, route)]);
      expect(found).toMatchObject({ winner: id, matched: [id, 'm'] });
      expect(found.reason).toContain("being an operator's");
    }
  });
  test("the registrator's gets what the operator's does not match", () => {
    const both = [frontend('a', CONTAINERS, 1), frontend('z', 'Host("shop.test") && PathRegexp("^/api/")')];
    expect(winner(both, '/api/x').winner).toBe('z');
    expect(winner(both, '/').winner).toBe('a');
  });
  test('a registrator’s without servers goes after one that has some', () => {
    const found = winner([frontend('a', CONTAINERS, 2), frontend('b', CONTAINERS, 1)]);
    expect(found).toMatchObject({ winner: 'b' });
    expect(found.reason).toContain('the backend of the other has none');
  });
  test('a precise host still goes before a pattern of an operator', () => {
    const wide = frontend('a', 'HostRegexp(".*") && PathRegexp(".*")');
    expect(winner([wide, frontend('b', CONTAINERS, 1)]).winner).toBe('b');
  });
});

test('contests name who yields to whom, for which host, and whether anything is left', () => {
  const all = [
    frontend('whole', 'Host("one.test")'),
    frontend('part', 'Host("two.test") && Path("/x")'),
    frontend('a', 'Host("one.test") && PathRegexp(".*")', 1),
    frontend('b', '(Host("two.test") || Host("three.test")) && PathRegexp(".*")', 1),
    frontend('c', 'Host("three.test") && PathRegexp(".*")', 1),
    frontend('d', 'Host("three.test") && PathRegexp(".*")', 2),
  ];
  const found = contests(all).toSorted((a, b) => (a.host < b.host ? -1 : 1));
  expect(found).toEqual([
    { id: 'a', winner: 'whole', host: 'one.test', whole: true, equals: false },
    expect.objectContaining({ host: 'three.test', equals: true, whole: true }),
    { id: 'b', winner: 'part', host: 'two.test', whole: false, equals: false },
  ]);
  expect(contests(all.slice(0, 2))).toEqual([]);
});
