import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { at, CLOSE, CONTAINER, code, port, RawWebSocket, running, server, setHealth } from './support.ts';

describe('over HTTP', () => {
  running();

  test('the page shows the container and the version, to people and to programs', async () => {
    const page = await fetch(at('/'));
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    const html = await page.text();
    expect(html).toContain('<dd>0.1.0</dd>');
    expect(html).toContain(`<dd>${CONTAINER}</dd>`);
    const data = await fetch(at('/'), { headers: { Accept: 'application/json' } });
    expect(await data.json()).toEqual({ version: '0.1.0', container: CONTAINER });
  });

  test.each([
    ['/', 200],
    ['/health', 200],
    ['/api/health', 200],
    ['/slow?ms=0', 200],
    ['/slow?ms=soon', 400],
    ['/stream?chunks=1', 200],
    ['/echo', 200],
    ['/ws', 426],
    ['/nothing', 404],
    ['/constructor', 404],
  ])('GET %s is %i and says who answers', async (path, status) => {
    const answer = await fetch(at(path));
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-version')).toBe('0.1.0');
    expect(answer.headers.get('x-container')).toBe(CONTAINER);
  });

  test('it can be made sick and well again', async () => {
    expect(await (await setHealth('{"health":false}')).json()).toEqual({ health: false });
    const sick = await fetch(at('/health'));
    expect([sick.status, await sick.json()]).toEqual([500, { health: false }]);
    expect((await fetch(at('/'))).status).toBe(200);
    await setHealth('{"health":true}');
    expect((await fetch(at('/health'))).status).toBe(200);
  });

  test.each(['', 'sick', 'null', '{}', '{"health":"false"}', `"${'x'.repeat(20_000)}"`])(
    'a health that is none changes nothing: %#',
    async (body) => {
      const answer = await setHealth(body);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toHaveProperty('error');
      expect((await fetch(at('/health'))).status).toBe(200);
    },
  );

  test('a slow answer takes its time, and others need not wait for it', async () => {
    const started = performance.now();
    const slow = fetch(at('/slow?ms=400'));
    await (await fetch(at('/health'))).text();
    const between = performance.now() - started;
    expect(await (await slow).json()).toMatchObject({ ms: 400, version: '0.1.0' });
    expect(performance.now() - started).toBeGreaterThan(390);
    expect(between).toBeLessThan(390);
  });

  test('a stream comes in pieces', async () => {
    const pieces: string[] = [];
    const answer = await fetch(at('/stream?chunks=3&ms=150'));
    for await (const piece of answer.body ?? []) pieces.push(Buffer.from(piece).toString());
    expect(pieces).toHaveLength(3);
    expect(pieces[2]).toBe(`3 of 3 from ${CONTAINER} version 0.1.0\n`);
  });

  test('an echo says what arrived', async () => {
    const answer = await fetch(at('/echo?a=%20b'), {
      method: 'POST',
      headers: { 'X-Mine': 'yes' },
      body: 'é'.repeat(100_000),
    });
    expect(await answer.json()).toMatchObject({
      method: 'POST',
      url: '/echo?a=%20b',
      headers: { 'x-mine': 'yes', host: `127.0.0.1:${port}` },
      length: 200_000,
    });
  });
});

describe('on SIGTERM', () => {
  running();

  /** A request on a connection that the client would like to keep, resolved when its head has arrived. */
  async function kept(path: string): Promise<IncomingMessage> {
    const going = request(at(path), { agent: new Agent({ keepAlive: true }) }).end();
    const [answer] = (await once(going, 'response')) as [IncomingMessage];
    return answer;
  }

  test('what runs is finished, nothing new is accepted, and it ends well', async () => {
    const exit = once(server, 'exit');
    await (await kept('/health')).resume();
    const stream = await kept('/stream?chunks=5&ms=100');
    const slow = fetch(at('/slow?ms=600'));
    const socket = await RawWebSocket.open();
    await socket.receive();
    server.kill('SIGTERM');
    expect(await socket.receive()).toEqual([CLOSE, code(1001)]);
    await expect(fetch(at('/health'))).rejects.toThrow();
    expect(server.exitCode).toBeNull();
    expect(await text(stream)).toContain('5 of 5');
    const answer = await slow;
    expect(answer.status).toBe(200);
    expect(answer.headers.get('connection')).toBe('close');
    const ended = performance.now();
    socket.send(RawWebSocket.frame(CLOSE, code(1001)));
    expect(await exit).toEqual([0, null]);
    // Kept connections do not hold it until they time out.
    expect(performance.now() - ended).toBeLessThan(4000);
  });

  test('one that nobody uses ends at once', async () => {
    const exit = once(server, 'exit');
    server.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });
});
