import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serving } from '../../../src/lib/gateway/haproxy/serving.ts';
import { BREAKERS_MAP, breakerKey } from '../../../src/lib/gateway/haproxy/translate/middlewares.ts';
import { type TranslateOptions, translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { freePort } from '../../support/port.ts';
import { ask, ensureHaproxy, optionsFor, type RunningHaproxy, runHaproxy, stateOf } from './haproxy-run.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A small server that says who it is and what it was asked, or does what `handler` says. */
class Backend {
  requests = 0;
  handler: Handler | null = null;
  readonly name: string;
  readonly #server: Server;

  constructor(name: string) {
    this.name = name;
    this.#server = createServer((request, response) => {
      this.requests++;
      if (this.handler !== null) return this.handler(request, response);
      const { method, url, headers } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ name, method, url, headers }));
    });
    this.#server.on('upgrade', (_request, socket) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      );
      socket.on('data', (part) => socket.write(`${name} heard ${part}`));
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

const frontend = (Route: string, BackendId = 'b1', Settings: object = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});

let port = 0;
let dead = 0;
const backends: Backend[] = [];
let running: RunningHaproxy | undefined;
let serving: Serving;

beforeAll(async () => {
  ensureHaproxy();
  port = await freePort();
  dead = await freePort();
  for (const name of ['s1', 's2']) backends.push(await new Backend(name).start());
});
afterAll(async () => {
  await running?.stop();
  for (const backend of backends) backend.stop();
});

const seen = (body: string) =>
  JSON.parse(body) as { name: string; method: string; url: string; headers: Record<string, string> };

/** Serves these objects besides a backend b1 (servers s1, s2), b2 (s2), half (one dead, s1), none, gone (all dead). */
async function serve(
  objects: Record<string, unknown>,
  options: Partial<TranslateOptions> = {},
): Promise<void> {
  await running?.stop();
  for (const backend of backends) {
    backend.requests = 0;
    backend.handler = null;
  }
  const [s1, s2] = backends.map(({ url }) => ({ URL: url }));
  const nobody = { URL: `http://127.0.0.1:${dead}` };
  const state = stateOf({
    'backends/b1/backend': { Type: 'http' },
    'backends/b1/servers/s1': s1,
    'backends/b1/servers/s2': s2,
    'backends/b2/backend': { Type: 'http' },
    'backends/b2/servers/s2': s2,
    'backends/half/backend': { Type: 'http' },
    'backends/half/servers/dead': nobody,
    'backends/half/servers/s1': s1,
    'backends/none/backend': { Type: 'http' },
    'backends/gone/backend': { Type: 'http' },
    'backends/gone/servers/dead': nobody,
    ...objects,
  });
  running = await runHaproxy((directory) => {
    serving = translate(state, { ...optionsFor(`127.0.0.1:${port}`, directory), ...options });
    return serving;
  });
}

describe('answers of its own', () => {
  test('404, 503, 502 as JSON, and 502 for what a server of vulcand would be asked in vain', async () => {
    await serve({
      'frontends/none/frontend': frontend('Path("/none")', 'none'),
      'frontends/missing/frontend': frontend('Path("/missing")', 'missing'),
      'frontends/gone/frontend': frontend('Path("/gone")', 'gone'),
      'backends/zero/backend': { Type: 'http' },
      'backends/zero/servers/s1': { URL: backends[0]?.url, Weight: 0 },
      'frontends/zero/frontend': frontend('Path("/zero")', 'zero'),
    });
    const told = async (path: string) => {
      const { status, headers, body } = await ask(port, { path });
      return [status, headers['content-type'], body];
    };
    expect(await told('/nowhere')).toEqual([404, 'application/json', '{"error":"not found"}']);
    for (const path of ['/none', '/missing', '/zero'])
      expect(await told(path)).toEqual([503, 'application/json', '{"error":"no server"}']);
    expect(await told('/gone')).toEqual([502, 'application/json', '{"error":"bad gateway"}']);
    expect(serving.notes).toContainEqual({
      object: 'frontend missing',
      message: 'backend missing does not exist: requests get 503 until it does',
    });
  });

  test('504 after the time to read', async () => {
    await serve({
      'backends/slow/backend': { Type: 'http', Settings: { Timeouts: { Read: '100ms' } } },
      'backends/slow/servers/s1': { URL: backends[0]?.url },
      'frontends/slow/frontend': frontend('Path("/slow")', 'slow'),
    });
    backends[0]!.handler = () => undefined;
    const { status, body } = await ask(port, { path: '/slow', method: 'POST' });
    expect([status, body]).toEqual([504, '{"error":"gateway timeout"}']);
  });
});

describe('balance and failover', () => {
  const get = (path: string, method = 'GET') => ask(port, { path, method });

  test('takes servers in turn, by weight', async () => {
    await serve({
      'frontends/even/frontend': frontend('Path("/even")'),
      'backends/uneven/backend': { Type: 'http' },
      'backends/uneven/servers/s1': { URL: backends[0]?.url, Weight: 3 },
      'backends/uneven/servers/s2': { URL: backends[1]?.url, Weight: 1 },
      'frontends/uneven/frontend': frontend('Path("/uneven")', 'uneven'),
    });
    for (let i = 0; i < 8; i++) await get('/even');
    expect(backends.map(({ requests }) => requests)).toEqual([4, 4]);
    for (let i = 0; i < 8; i++) await get('/uneven');
    expect(backends.map(({ requests }) => requests)).toEqual([10, 6]);
  });

  test('a server that refuses connections fails no request, whatever the method', async () => {
    await serve({ 'frontends/half/frontend': frontend('Path("/half")', 'half') });
    for (const method of ['GET', 'POST', 'GET', 'POST', 'DELETE', 'PUT'])
      expect((await get('/half', method)).status).toBe(200);
  });

  test.each([
    ['', 'GET', [502], 2, 502],
    ['', 'GET', [502, 200], 2, 200],
    ['', 'GET', [503], 1, 503],
    ['', 'POST', [502], 1, 502],
    ['IsNetworkError()', 'POST', [502], 11, 502],
    ['IsNetworkError() && Attempts() <= 2', 'GET', [502, 200], 2, 200],
    ['ResponseCode() == 503 && Attempts() < 3', 'GET', [503], 3, 503],
    ['RequestMethod() == "POST" && Attempts() < 4', 'GET', [502], 1, 502],
    ['RequestMethod() == "POST" && IsNetworkError() && Attempts() < 4', 'POST', [504], 4, 504],
  ] as const)(
    '%j, %s, servers say %j: %d attempts, then %d',
    async (predicate, method, codes, attempts, status) => {
      await serve({ 'frontends/f/frontend': frontend('Path("/f")', 'b1', { FailoverPredicate: predicate }) });
      let asked = 0;
      for (const backend of backends)
        backend.handler = (_request, response) => {
          response.statusCode = codes[Math.min(asked++, codes.length - 1)] ?? 500;
          response.end();
        };
      expect((await get('/f', method)).status).toBe(status);
      expect(asked).toBe(attempts);
    },
  );

  test('a server that hangs up in the middle is asked no more, another is, for a GET', async () => {
    await serve({ 'frontends/f/frontend': frontend('Path("/f")') });
    backends[0]!.handler = (request) => request.socket.destroy();
    for (let i = 0; i < 4; i++) expect((await get('/f')).status).toBe(200);
    const posted = [];
    // On a connection that was used before, HAProxy hangs up as the server did.
    for (let i = 0; i < 2; i++)
      posted.push(
        await get('/f', 'POST').then(
          ({ status }) => status === 200,
          () => false,
        ),
      );
    expect(posted.sort()).toEqual([false, true]);
  });

  test('Stream: nothing is sent twice', async () => {
    await serve({ 'frontends/f/frontend': frontend('Path("/f")', 'b1', { Stream: true }) });
    for (const backend of backends) backend.handler = (request) => request.socket.destroy();
    expect((await get('/f')).status).toBe(502);
    expect(backends[0]!.requests + backends[1]!.requests).toBe(1);
  });

  test('a switch is one entry of a map, also for a frontend with its own predicate', async () => {
    await serve({
      'frontends/f/frontend': frontend('Host("h")', 'half', { FailoverPredicate: 'IsNetworkError()' }),
      'frontends/g/frontend': frontend('Host("g")', 'half'),
    });
    const map = serving.maps.get('frontends.map');
    const target = map?.get('f')?.replace('half', 'b2');
    expect([...serving.pools.keys()]).toContain(target);
    expect(await running?.command(`set map frontends.map f ${target}`)).toBe('\n');
    expect(await running?.command('set map frontends.map g b2')).toBe('\n');
    for (const host of ['h', 'g', 'h', 'g']) {
      const { body } = await ask(port, { headers: { host } });
      expect(seen(body).name).toBe('s2');
    }
  });

  test('a server with a cookie keeps its clients, and goes with them nowhere else', async () => {
    await serve({
      'backends/sticky/backend': { Type: 'http', Settings: { StickyCookie: 'SRV' } },
      'backends/sticky/servers/s1': { URL: backends[0]?.url },
      'backends/sticky/servers/s2': { URL: backends[1]?.url },
      'frontends/f/frontend': frontend('Path("/")', 'sticky'),
    });
    const first = await ask(port);
    const cookie = first.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    expect(cookie).toMatch(/^SRV=[0-9a-f]{16}$/);
    for (let i = 0; i < 4; i++) {
      const again = await ask(port, { headers: { cookie } });
      expect(seen(again.body).name).toBe(seen(first.body).name);
      expect(again.headers['set-cookie']).toBeUndefined();
    }
  });

  test('WebSockets pass', async () => {
    await serve({ 'frontends/f/frontend': frontend('Path("/ws")', 'b2') });
    const heard = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('error', reject);
      socket.on('data', (part) => {
        text += part;
        if (text.endsWith('\r\n\r\n')) socket.write('hello');
        if (text.includes('heard')) socket.destroy();
      });
      socket.on('close', () => resolve(text));
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
      );
    });
    expect(heard).toContain(' 101 ');
    expect(heard.endsWith('s2 heard hello')).toBe(true);
  });
});

describe('what a server is told', () => {
  test('replaces what the client claims', async () => {
    await serve({ 'frontends/f/frontend': frontend('Path("/")', 'b2') });
    const forged = { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-host': 'evil', 'x-real-ip': '6.6.6.6' };
    const { body } = await ask(port, { headers: { host: 'Shop.Example:8080', ...forged } });
    expect(seen(body).headers).toMatchObject({
      host: 'Shop.Example:8080',
      'x-forwarded-for': '127.0.0.1',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'Shop.Example:8080',
      'x-forwarded-port': '8080',
      'x-forwarded-server': 'gateway-1',
    });
    const plain = await ask(port, { headers: { host: 'shop' } });
    expect(seen(plain.body).headers['x-forwarded-port']).toBe('80');
  });

  test('keeps and completes it for a frontend that trusts, and only for that one', async () => {
    await serve({
      'frontends/f/frontend': frontend('Path("/t")', 'b2', { TrustForwardHeader: true, Hostname: 'edge-7' }),
      'frontends/g/frontend': frontend('Path("/u")', 'b2'),
    });
    const claimed = {
      host: 'h:81',
      'x-forwarded-for': ['a, b', 'c'],
      'x-forwarded-proto': ['d, e', 'f'],
      'x-forwarded-host': ['g, h', 'i'],
    };
    const trusted = seen((await ask(port, { path: '/t', headers: claimed })).body).headers;
    expect(trusted).toMatchObject({
      'x-forwarded-for': 'a, b, c, 127.0.0.1',
      'x-forwarded-proto': 'd, e, f',
      'x-forwarded-host': 'g, h, i',
      'x-forwarded-port': '81',
      'x-real-ip': '127.0.0.1',
      'x-forwarded-server': 'edge-7',
    });
    const single = { host: 'h', 'x-forwarded-for': '1.2.3.4' };
    const one = seen((await ask(port, { path: '/t', headers: single })).body).headers;
    expect(one).toMatchObject({ 'x-forwarded-for': '1.2.3.4, 127.0.0.1', 'x-forwarded-proto': 'http' });
    const untrusted = seen((await ask(port, { path: '/u', headers: claimed })).body).headers;
    expect(untrusted).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'h:81',
      'x-forwarded-port': '81',
      'x-forwarded-server': 'gateway-1',
    });
  });

  test('no body over the limit', async () => {
    await serve({
      'frontends/f/frontend': frontend('Path("/f")', 'b2', { Limits: { MaxBodyBytes: 8 } }),
      'frontends/g/frontend': frontend('Path("/g")', 'b2'),
    });
    const status = async (path: string, body: string, chunked: boolean) =>
      (await ask(port, { path, method: 'POST', body, chunked })).status;
    expect(await status('/f', '12345678', false)).toBe(200);
    expect(await status('/f', '123456789', false)).toBe(413);
    expect(await status('/f', '12345678', true)).toBe(200);
    expect(await status('/f', '123456789', true)).toBe(413);
    expect(await status('/g', '123456789', false)).toBe(200);
    expect((await ask(port, { path: '/f' })).status).toBe(200);
  });
});

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
