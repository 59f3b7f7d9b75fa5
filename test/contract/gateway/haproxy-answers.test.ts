import { describe, expect, test } from 'vitest';
import { backends, frontend, port, seen, serve, serving, withBackends } from './support/haproxy.ts';
import { ask } from './support/haproxy-run.ts';

withBackends();

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
