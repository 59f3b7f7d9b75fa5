import type { ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import { BREAKERS_MAP, breakerKey } from '../../../src/lib/gateway/haproxy/translate/middlewares.ts';
import { backends, frontend, port, running, seen, serve, serving, withBackends } from './support/haproxy.ts';
import { ask } from './support/haproxy-run.ts';

withBackends();

describe('middlewares', () => {
  const mw = (Type: string, Middleware: object, Priority = 1) => ({ Type, Priority, Middleware });
  const one = (Type: string, Middleware: object) =>
    serve({
      'frontends/f@1/frontend': frontend('Path("/f")', 'b2'),
      'frontends/f@1/middlewares/m:1': mw(Type, Middleware),
      'frontends/g/frontend': frontend('Path("/g")', 'b2'),
    });

  test('ratelimit: as many as the burst at once, then one each period', async () => {
    await one('ratelimit', { PeriodSeconds: 5, Requests: 1, Burst: 2, Variable: 'client.ip' });
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await ask(port, { path: '/f' }));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
    expect(answers[2]?.headers['x-retry-in']).toBe('5s');
    expect(answers[2]?.body).toBe('max rate reached: retry-in 5s');
    expect((await ask(port, { path: '/g' })).status).toBe(200);
  });

  test('ratelimit: by header, an absent one is a value too; refused requests do not count', async () => {
    await one('ratelimit', { PeriodSeconds: 1, Requests: 2, Burst: 1, Variable: "request.header.X-U'ser" });
    const status = async (headers: Record<string, string> = {}) =>
      (await ask(port, { path: '/f', headers })).status;
    expect(await status({ "x-u'ser": 'a' })).toBe(200);
    expect(await status({ "x-u'ser": 'b' })).toBe(200);
    expect(await status()).toBe(200);
    expect(await status({ "x-u'ser": 'a' })).toBe(429);
    expect(await status()).toBe(429);
    let again = 0;
    for (const until = Date.now() + 5000; Date.now() < until && again === 0; )
      if ((await status({ "x-u'ser": 'a' })) === 200) again++;
    expect(again).toBe(1);
  });

  test.each(['client.ip', 'request.host', 'request.header.X-User'])(
    'ratelimit by %s: frontends with the same limit count each for itself',
    async (Variable) => {
      const limit = { PeriodSeconds: 60, Requests: 1, Burst: 1, Variable };
      await serve({
        ...Object.fromEntries(
          ['f', 'g@1', 'h'].flatMap((id) => [
            [`frontends/${id}/frontend`, frontend(`Path("/${id}")`, 'b2')],
            [`frontends/${id}/middlewares/m`, mw('ratelimit', limit)],
          ]),
        ),
        'frontends/free/frontend': frontend('Path("/free")', 'b2'),
      });
      const statuses = [];
      for (const path of ['/f', '/f', '/g@1', '/g@1', '/h', '/free', '/free'])
        statuses.push((await ask(port, { path })).status);
      expect(statuses).toEqual([200, 429, 200, 429, 200, 200, 200]);
      expect(serving.structure.match(/return status 429/g)).toHaveLength(1);
    },
  );

  test('connlimit: so many at a time', async () => {
    await one('connlimit', { Connections: 2, Variable: 'request.host' });
    const held: ServerResponse[] = [];
    backends[1]!.handler = (_request, response) => void held.push(response);
    const first = [ask(port, { path: '/f' }), ask(port, { path: '/f' })];
    while (held.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const third = await ask(port, { path: '/f' });
    expect([third.status, third.body]).toEqual([429, 'max connections reached: 2']);
    for (const response of held) response.end('done');
    expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200]);
    backends[1]!.handler = null;
    expect((await ask(port, { path: '/f' })).status).toBe(200);
  });

  test.each([
    ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo/bar', '/bar'],
    ['^http://localhost/foo(.*)', 'http://localhost$1', '/foo/bar?a=b', '/bar?a=b'],
    ['/old/', '/new/', '/x/old/old/y', '/x/new/old/y'],
    ['o+', '0', '/foo/bo', '/f0/b0'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's way to write a group in a replacement
    ['/(?P<first>[a-z]+)/([a-z]+)$', '/${2}/${first}/$$$1x', '/a/b', '/b/a/$'],
    [`/q'uote\\\\d"\\)`, `/'"\\\\`, `/q'uote1"`, `/q'uote1"`],
    ['/nothing', '/x', '/f?q=1', '/f?q=1'],
    ['^(.*)$', '$1/a b%20ü', '/f', '/f/a%20b%20%C3%BC'],
    [
      '^http://localhost/(foo)/(bar)$',
      `/$1/{{.Request.Header.Get "X-Header"}}/$2`,
      '/foo/bar',
      '/foo/b%20z/bar',
    ],
    ['/(a)', '/{{ .Request.Header.Get `x-header` }}{{.Request.Header.Get "Y"}}/$1', '/x/a/a', '/x/b%20z/a/a'],
    ['/a', '/{{.Request.Header.Get "X-Header"}}', '/b', '/b'],
  ])('rewrite: %s -> %s: %s is %s', async (Regexp, Replacement, path, expected) => {
    await serve({
      'frontends/f@1/frontend': frontend('Host("localhost")', 'b2'),
      'frontends/f@1/middlewares/m:1': mw('rewrite', {
        Regexp,
        Replacement,
        RewriteBody: false,
        Redirect: false,
      }),
    });
    const { body } = await ask(port, { path, headers: { host: 'localhost', 'x-header': 'b z' } });
    expect(seen(body).url).toBe(expected);
  });

  test('rewrite: redirects where the URL changes', async () => {
    await serve({
      'frontends/f/frontend': frontend('Host("localhost")', 'b2'),
      'frontends/f/middlewares/m': mw('rewrite', {
        Regexp: '^http://localhost/old(.*)',
        Replacement: 'https://new.example/100%$1',
        Redirect: true,
      }),
    });
    const answer = await ask(port, { path: '/old?a', headers: { host: 'localhost' } });
    expect([answer.status, answer.headers.location]).toEqual([302, 'https://new.example/100%?a']);
    expect((await ask(port, { path: '/new', headers: { host: 'localhost' } })).status).toBe(200);
  });

  test('rewrite: what came by TLS to a proxy in front is https', async () => {
    await serve({
      'frontends/f/frontend': frontend('Host("localhost")', 'b2'),
      'frontends/f/middlewares/m': mw('rewrite', {
        Regexp: '^http://(.*)$',
        Replacement: 'https://$1',
        Redirect: true,
      }),
    });
    const status = async (proto: string) => {
      const headers = { host: 'localhost', 'x-forwarded-proto': proto };
      return (await ask(port, { path: '/', headers })).status;
    };
    expect([await status('http'), await status('https')]).toEqual([302, 200]);
  });

  test('run by priority', async () => {
    const limit = { PeriodSeconds: 60, Requests: 1, Burst: 1, Variable: 'client.ip' };
    const redirect = { Regexp: '/f', Replacement: '/g', Redirect: true };
    await serve({
      'frontends/f/frontend': frontend('Path("/f")', 'b2'),
      'frontends/f/middlewares/a': mw('ratelimit', limit, 2),
      'frontends/f/middlewares/b': mw('rewrite', redirect, 1),
      'frontends/r/frontend': frontend('Path("/f/r")', 'b2'),
      'frontends/r/middlewares/a': mw('ratelimit', limit, 1),
      'frontends/r/middlewares/b': mw('rewrite', redirect, 2),
      // Shares its steps with both of them.
      'frontends/s/frontend': frontend('Path("/f/s")', 'b2'),
      'frontends/s/middlewares/a': mw('ratelimit', limit, 1),
      'frontends/t/frontend': frontend('Path("/f/t")', 'b2'),
      'frontends/t/middlewares/b': mw('rewrite', redirect, 1),
    });
    const statuses = async (path: string) => [
      (await ask(port, { path })).status,
      (await ask(port, { path })).status,
    ];
    expect(await statuses('/f')).toEqual([302, 302]);
    expect(await statuses('/f/r')).toEqual([302, 429]);
    expect(await statuses('/f/s')).toEqual([200, 429]);
    expect(await statuses('/f/t')).toEqual([302, 302]);
  });

  test.each([
    [
      { Type: 'response', Action: { StatusCode: 418, Body: 'Come\nback "later" 100% $HOME' } },
      418,
      undefined,
    ],
    [{ Type: 'response', Action: { StatusCode: 204, Body: '' } }, 204, undefined],
    [{ Type: 'redirect', Action: { URL: 'https://o.io/%41', PreservePath: false } }, 302, 'https://o.io/%41'],
    [{ Type: 'redirect', Action: { URL: 'https://o.io', PreservePath: true } }, 302, 'https://o.io/f'],
  ])('cbreaker: %j while its key is in the map', async (Fallback, status, location) => {
    await one('cbreaker', { Condition: 'NetworkErrorRatio() > 0.5', Fallback });
    const key = breakerKey('f@1', 'm:1');
    const get = () => ask(port, { path: '/f' });
    expect((await get()).status).toBe(200);
    await running?.command(`add map ${BREAKERS_MAP} ${key} 1`);
    const answer = await get();
    expect([answer.status, answer.headers.location]).toEqual([status, location]);
    if ('Body' in Fallback.Action) expect(answer.body).toBe(Fallback.Action.Body);
    expect((await ask(port, { path: '/g' })).status).toBe(200);
    await running?.command(`del map ${BREAKERS_MAP} ${key}`);
    expect((await get()).status).toBe(200);
  });
});
