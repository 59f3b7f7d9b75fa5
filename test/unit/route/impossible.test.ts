import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hostAsSent, impossible, matches, parseRoute } from '../../../src/lib/route/index.ts';
import { requestArb, routeTextArb } from './support.ts';

const never: readonly (readonly [route: string, hint: string])[] = [
  ['Host("https://shop.example")', 'write Host("shop.example")'],
  ['Host("https://Shop.example:8443/cart")', 'write Host("shop.example")'],
  ['Host("shop.example/cart")', 'write Host("shop.example") && PathRegexp("...")'],
  ['Host("*.shop.example")', 'write Host("<name>.shop.example") for one label, HostRegexp for several'],
  ['Host("shop.example:8080")', 'write Host("shop.example")'],
  ['Host("[2001:db8::1]:8080")', 'write Host("[2001:db8::1]")'],
  ['Host("<name>.shop.example:8080")', 'write the host name alone'],
  ['Host("bücher.example")', 'write Host("xn--bcher-kva.example")'],
  ['Host("shop example")', 'write the host name alone'],
  ['HostRegexp("https?://shop[.]example")', 'match the host name alone'],
  ['Path("api")', 'write Path("/api")'],
  ['Path("<name>/cart")', 'write Path("/<name>/cart")'],
  ['Path("/search?q=1")', 'write Path("/search")'],
  ['Path("/a#b")', 'write Path("/a")'],
  ['Path("/a b")', 'write Path("/a%20b")'],
  ['Path("/bücher")', 'write Path("/b%C3%BCcher")'],
  ['Path("https://shop.example/api")', 'write Path("/api"), and Host("...") for the rest'],
  ['PathRegexp("^api/.*")', 'write PathRegexp("^/api/.*")'],
  ['Method("get")', 'write Method("GET")'],
  ['Method("GET,HEAD")', 'one method each, such as Method("GET") || Method("HEAD")'],
  ['Header("X-Tenant", " a")', 'write "a"'],
  ['Host("a.example") && Host("b.example")', 'join alternatives with ||, or make a frontend of each'],
  ['Path("/a") && PathRegexp("^/b")', 'join alternatives with ||, or make a frontend of each'],
  ['Method("GET") && !Method("GET")', 'join alternatives with ||, or make a frontend of each'],
  ['Host("good.example") || Host("bad.example:80")', 'write Host("bad.example")'],
  ['Host("good.example") && !Path("api")', 'write Path("/api")'],
];

test.each(never)('%s never matches', (route, hint) => {
  const found = impossible(parseRoute(route));
  expect(found?.hint).toBe(hint);
  expect(found?.problem).not.toMatch(/\n/);
});

test.each(never.filter(([, hint]) => /^write (Host|Path|PathRegexp|Method)\("[^<]*"\)$/.test(hint)))(
  'what is proposed for %s can match',
  (_, hint) => {
    expect(impossible(parseRoute(hint.slice('write '.length)))).toBeNull();
  },
);

test.each([
  'Host("shop.example") && PathRegexp(".*")',
  'Host("SHOP.example")',
  'Host("[2001:db8::1]")',
  'Host("<name>.shop.example")',
  'Host("<int:n>.shop.example")',
  'Host("_x.shop.example")',
  'HostRegexp("(?:a|b)[.]example")',
  'Path("/")',
  'Path("/a%20b/<id>/c")',
  'Path("<path:rest>")',
  'PathRegexp("api")',
  'PathRegexp("^a?/b")',
  'PathRegexp("^a|/b")',
  'PathRegexp("^(/a|/b)")',
  'Method("PROPFIND")',
  'Header("Content-Type", "application/json; charset=utf-8")',
  'Host("a.example") || Host("b.example")',
  'Host("a.example") && !Host("b.example")',
])('%s can match', (route) => {
  expect(impossible(parseRoute(route))).toBeNull();
});

test('a route whose conditions exclude each other matches no request', () => {
  fc.assert(
    fc.property(routeTextArb, requestArb, (text, request) => {
      const route = parseRoute(text);
      const found = impossible(route);
      if (found?.problem.includes('exclude each other')) expect(matches(route, request)).toBe(false);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['Shop.Example', 'shop.example'],
  ['http://shop.example:80/x', 'shop.example'],
  ['münchen.example', 'xn--mnchen-3ya.example'],
  ['*.shop.example', null],
  ['', null],
])('%s as clients send it is %s', (value, sent) => {
  expect(hostAsSent(value)).toBe(sent);
});
