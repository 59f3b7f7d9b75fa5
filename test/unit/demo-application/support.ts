import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, expect } from 'vitest';

export const EXAMPLES = join(import.meta.dirname, '..', '..', '..', 'examples');
export const CONTAINER = hostname();

export let server: ChildProcessByStdio<null, Readable, null>;
export let port = 0;

/** A server of its own for every test of a group. */
export function running(): void {
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

export const at = (path: string): string => `http://127.0.0.1:${port}${path}`;
export const setHealth = (body: string): Promise<Response> =>
  fetch(at('/api/health'), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });

/** The client side of RFC 6455 on a plain socket: each frame that arrived, as [opcode, payload]. */
export class RawWebSocket {
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

export const [CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];
export const code = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
