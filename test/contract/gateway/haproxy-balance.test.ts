import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { backends, frontend, port, running, seen, serve, serving, withBackends } from './support/haproxy.ts';
import { ask } from './support/haproxy-run.ts';

withBackends();

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
