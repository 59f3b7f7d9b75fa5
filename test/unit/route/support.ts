import fc from 'fast-check';
import { expect } from 'vitest';
import { ClusterError } from '../../../src/lib/error.ts';
import { type Request, requestOf } from '../../../src/lib/route/index.ts';

/** The ClusterError that `run` throws. */
export function refusal(run: () => unknown): ClusterError {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    expect(error.hint).toBeDefined();
    return error;
  }
  throw new Error('nothing was thrown');
}

/** A request with only what a test is about. */
export function request(url = '/', host = '', method = 'GET', headers: Record<string, string> = {}): Request {
  return requestOf({ method, url, headers: { host, ...headers } });
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  Host: ['a.example', 'b.example', '<sub>.example', 'A.Example'],
  HostRegexp: ['^a\\.', 'EXAMPLE$', '.*'],
  Path: [
    '/',
    '/a',
    '/a/b',
    '/a/<x>',
    '/<int:n>',
    '/a/<path:rest>',
    '/<a><b>',
    '/<int:n><path:p>',
    '/<a>.html',
  ],
  PathRegexp: ['.*', '^/a', '/\\d+$', '"q`', 'b|/'],
  Method: ['GET', 'POST', '<any>'],
  MethodRegexp: ['GET|PUT', '^P'],
};

const matcherArb = fc
  .constantFrom(...Object.keys(VALUES))
  .chain((name) =>
    fc.constantFrom(...(VALUES[name] ?? [])).map((value) => `${name}(${JSON.stringify(value)})`),
  );

const headerArb = fc
  .record({
    name: fc.constantFrom('Header', 'HeaderRegexp'),
    header: fc.constantFrom('Accept', 'X-V'),
    value: fc.constantFrom('json', 'text/<kind>', '<v>', 'j.*n'),
  })
  .map(({ name, header, value }) => `${name}("${header}", ${JSON.stringify(value)})`);

/** Texts of routes in our whole language, small enough for the normal form. */
export const routeTextArb: fc.Arbitrary<string> = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof({ weight: 4, arbitrary: matcherArb }, { weight: 1, arbitrary: headerArb }),
    tie('tree').map((part) => `!(${part})`),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a}) && ${b.includes('||') ? `(${b})` : b}`),
    fc.tuple(tie('tree'), tie('tree')).map(([a, b]) => `(${a}) || ${b}`),
  ),
})).tree;

export const requestArb: fc.Arbitrary<Request> = fc
  .record({
    url: fc.constantFrom(
      '/',
      '/a',
      '/a/b',
      '/a/b/c',
      '/12',
      '/12/x',
      '/12x',
      '/a/',
      '/a/x.html',
      '/b?q=/a',
      '/"q`',
    ),
    host: fc.constantFrom('', 'a.example', 'B.Example:81', 'a.b.example', 'x'),
    method: fc.constantFrom('GET', 'POST', 'PUT', 'get'),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      { accept: 'json' },
      { 'X-V': 'text/plain' },
      { 'x-v': '' },
    ),
  })
  .map(({ url, host, method, headers }) => request(url, host, method, headers));
