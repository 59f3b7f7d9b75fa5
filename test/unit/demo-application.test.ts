import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { validateUnit } from '../../src/lib/unit/index.ts';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'examples');
const CONTAINER = hostname();

let server: ChildProcessByStdio<null, Readable, null>;
let port = 0;

/** A server of its own for every test of a group. */
function running(): void {
  beforeEach(async () => {
    server = spawn(process.execPath, [join(EXAMPLES, 'demo-application', 'server.js')], {
      env: { PORT: '0', VERSION: '0.1.0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(server, 'exit').then(() => Promise.reject(new Error('the server has ended')));
    const [line] = (await Promise.race([once(server.stdout, 'data'), ended])) as [Buffer];
    port = Number(/listens on port (\d+)/.exec(line.toString())?.[1]);
  });
  afterEach(() => server.kill('SIGKILL'));
}

const at = (path: string): string => `http://127.0.0.1:${port}${path}`;
const setHealth = (body: string): Promise<Response> =>
  fetch(at('/api/health'), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });

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

/** The client side of RFC 6455 on a plain socket: each frame that arrived, as [opcode, payload]. */
class RawWebSocket {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #bytes: Buffer = Buffer.alloc(0);
  headers = '';

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  static async open(extra: readonly string[] = [], tail: Buffer = Buffer.alloc(0)): Promise<RawWebSocket> {
    const socket = connect(port, '127.0.0.1');
    const one = new RawWebSocket(socket);
    const lines = [
      'GET /ws HTTP/1.1',
      'Host: demo',
      'Upgrade: websocket',
      'Connection: keep-alive, Upgrade',
      'Sec-WebSocket-Version: 13',
      // The key and, below, the answer are RFC 6455's own example.
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...extra,
    ];
    socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), tail]));
    while (!one.#bytes.includes('\r\n\r\n')) await one.#more();
    const end = one.#bytes.indexOf('\r\n\r\n');
    one.headers = one.#bytes.subarray(0, end).toString();
    one.#bytes = one.#bytes.subarray(end + 4);
    return one;
  }

  static frame(opcode: number, payload: string | Buffer, final = true): Buffer {
    const body = Buffer.from(payload);
    const { length } = body;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    head[0] = (final ? 0x80 : 0) | opcode;
    head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = Buffer.from([1, 2, 3, 250]);
    return Buffer.concat([head, mask, body.map((byte, n) => byte ^ (mask[n % 4] ?? 0))]);
  }

  send(...frames: Buffer[]): void {
    this.#socket.write(Buffer.concat(frames));
  }

  async receive(): Promise<[opcode: number, payload: Buffer]> {
    await this.#atLeast(2);
    const short = this.#bytes[1] ?? 0;
    const at = short === 126 ? 4 : short === 127 ? 10 : 2;
    await this.#atLeast(at);
    const length =
      at === 4 ? this.#bytes.readUInt16BE(2) : at === 10 ? Number(this.#bytes.readBigUInt64BE(2)) : short;
    await this.#atLeast(at + length);
    const opcode = (this.#bytes[0] ?? 0) & 0x0f;
    const payload = this.#bytes.subarray(at, at + length);
    this.#bytes = this.#bytes.subarray(at + length);
    return [opcode, payload];
  }

  async ended(): Promise<void> {
    expect(await this.#chunks.next()).toEqual({ done: true, value: undefined });
  }

  async #atLeast(size: number): Promise<void> {
    while (this.#bytes.length < size) await this.#more();
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error('the other side has ended the conversation');
    this.#bytes = Buffer.concat([this.#bytes, value]);
  }
}

const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
const code = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);

describe('over a WebSocket', () => {
  running();

  test('it proves the handshake and greets', async () => {
    const socket = await RawWebSocket.open();
    expect(socket.headers).toMatch(/^HTTP\/1\.1 101 /);
    expect(socket.headers).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(socket.headers).toContain('X-Version: 0.1.0');
    const [opcode, greeting] = await socket.receive();
    expect(opcode).toBe(TEXT);
    expect(JSON.parse(greeting.toString())).toEqual({ version: '0.1.0', container: CONTAINER });
  });

  test('it echoes messages of every length, in pieces too, and answers pings in between', async () => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    for (const length of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const message = Buffer.alloc(length, 'é');
      socket.send(RawWebSocket.frame(BINARY, message));
      const [opcode, echoed] = await socket.receive();
      expect([opcode, echoed.equals(message)]).toEqual([BINARY, true]);
    }
    socket.send(
      RawWebSocket.frame(TEXT, 'he', false),
      RawWebSocket.frame(PING, 'there?'),
      RawWebSocket.frame(CONTINUATION, 'll', false),
      RawWebSocket.frame(CONTINUATION, 'o'),
    );
    expect(await socket.receive()).toEqual([PONG, Buffer.from('there?')]);
    expect(await socket.receive()).toEqual([TEXT, Buffer.from('hello')]);
  });

  test('what came with the handshake is answered after the greeting', async () => {
    const socket = await RawWebSocket.open([], RawWebSocket.frame(TEXT, 'early'));
    expect((await socket.receive())[1].toString()).toContain('0.1.0');
    expect(await socket.receive()).toEqual([TEXT, Buffer.from('early')]);
  });

  test('a close is answered and ends it', async () => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    socket.send(RawWebSocket.frame(CLOSE, code(1000)));
    expect(await socket.receive()).toEqual([CLOSE, code(1000)]);
    await socket.ended();
  });

  test.each([
    ['a frame without a mask', Buffer.from([0x81, 0x01, 0x61]), 1002],
    ['a piece of no message', RawWebSocket.frame(CONTINUATION, 'x'), 1002],
    ['a message of more than a mebibyte', RawWebSocket.frame(BINARY, Buffer.alloc(1_048_577)), 1009],
  ])('%s is refused', async (_what, bytes, why) => {
    const socket = await RawWebSocket.open();
    await socket.receive();
    socket.send(bytes);
    expect(await socket.receive()).toEqual([CLOSE, code(why)]);
    expect((await fetch(at('/health'))).status).toBe(200);
  });

  test('a handshake that is none is 400', async () => {
    const socket = await RawWebSocket.open(['Sec-WebSocket-Version: 8']);
    expect(socket.headers).toMatch(/^HTTP\/1\.1 400 /);
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

describe('the unit files of the examples', () => {
  const files = ['demo-application', 'announce', 'units'].flatMap((directory) =>
    readdirSync(join(EXAMPLES, directory))
      .filter((name) => name.endsWith('.service'))
      .map((name) => join(directory, name)),
  );
  const read = (file = ''): string => readFileSync(join(EXAMPLES, file), 'utf8');

  test.each(files)('%s is right', (file) => {
    expect(validateUnit(basename(file), read(file), { file }).warnings).toEqual([]);
  });

  test('the two versions differ in their version only', () => {
    const [one, two] = files.filter((file) => file.includes('demo-application-v'));
    const old = read(one);
    expect(old).toContain('0.1.0');
    expect(old.replaceAll('0.1.0', '0.2.0')).toBe(read(two));
  });
});
