import { connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';

/** Answers with the request as it came, and headers that concern only its own connection. */
let server: Server;
let port = 0;
let running: RunningHaproxy;

beforeAll(async () => {
  ensureHaproxy();
  server = createServer((socket) => {
    let heard = '';
    socket.on('error', () => undefined);
    socket.on('data', (part) => {
      heard += part;
      if (!heard.includes('\r\n\r\n')) return;
      const upgrade = /^upgrade: websocket/im.test(heard);
      const own = 'Connection: close, X-Own\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\n';
      socket.end(
        upgrade
          ? 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello'
          : `HTTP/1.1 200 OK\r\n${own}Content-Length: ${Buffer.byteLength(heard)}\r\n\r\n${heard}`,
      );
      heard = '';
    });
  });
  const behind = await listening(server);
  port = await freePort();
  const frontend = (Route: string, Settings: object = {}) => ({
    Type: 'http',
    BackendId: 'b',
    Route,
    Settings,
  });
  const state = stateOf({
    'backends/b/backend': { Type: 'http' },
    'backends/b/servers/s': { URL: `http://127.0.0.1:${behind}` },
    'frontends/any/frontend': frontend('PathRegexp(".*")'),
    'frontends/trusting/frontend': frontend('Host("trusting")', { TrustForwardHeader: true }),
  });
  running = await runHaproxy((directory) => translate(state, optionsFor(`127.0.0.1:${port}`, directory)));
});
afterAll(async () => {
  await running.stop();
  server.close();
});

interface Told {
  readonly status: number;
  readonly body: string;
  readonly answer: string;
  /** Of the request that the server got, in its order. */
  readonly headers: readonly string[];
  readonly target: string;
}

/** Sends lines as they are. */
function send(...lines: readonly string[]): Promise<Told> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      const [answer = '', ...rest] = text.split('\r\n\r\n');
      const body = rest.join('\r\n\r\n');
      const [first = '', ...headers] = body.trimEnd().split('\r\n');
      const status = Number(/^HTTP\/1\.[01] (\d+)/.exec(answer)?.[1] ?? 0);
      resolve({ status, answer, body, headers, target: first.split(' ')[1] ?? '' });
    };
    const timer = setTimeout(end, 10_000);
    const isWhole = (): boolean => {
      const [head = '', ...rest] = text.split('\r\n\r\n');
      const length = /^content-length: (\d+)/im.exec(head)?.[1];
      return length !== undefined && Buffer.byteLength(rest.join('\r\n\r\n')) >= Number(length);
    };
    socket.on('data', (part) => {
      text += part;
      if (isWhole() || text.endsWith('hello')) end();
    });
    socket.on('close', end);
    socket.on('error', reject);
    socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  });
}

const OURS = [
  'x-forwarded-for: 127.0.0.1',
  'x-real-ip: 127.0.0.1',
  'x-forwarded-proto: http',
  'x-forwarded-host: x',
  'x-forwarded-port: 80',
  'x-forwarded-server: gateway-1',
];
const get = (...headers: readonly string[]) => send('GET /a HTTP/1.1', 'Host: x', ...headers);

describe('what a server hears of the client', () => {
  test('is ours, whatever the client claims, in every spelling', async () => {
    const claims = [
      'X-Forwarded-For: 6.6.6.6',
      'X_Forwarded_For: 6.6.6.6',
      'x-forwarded_for: 6.6.6.6',
      'X.Forwarded.For: 6.6.6.6',
      'X-Forwarded-Prefix: /admin',
      'X-Forwarded-Proto: https',
      'X-Forwarded: yes',
      'X_Real-IP: 6.6.6.6',
      'Forwarded: for=6.6.6.6;proto=https',
    ];
    expect((await get(...claims)).headers).toEqual(['host: x', ...OURS]);
  });

  test.each(['close, X-Forwarded-For', 'x-real-ip, keep-alive, X-Forwarded-Proto', 'X-Forwarded-Host'])(
    'cannot be taken away by Connection: %s',
    async (connection) =>
      expect((await get(`Connection: ${connection}`)).headers).toEqual(['host: x', ...OURS]),
  );

  test('other headers pass, those with an underscore too', async () => {
    const own = ['api_key: k', 'x-forward: 1', 'forwarded-by: me', 'x-real: 1'];
    expect((await get(...own)).headers).toEqual(['host: x', ...own, ...OURS]);
  });

  test.each([
    [['X-Forwarded-For: 1.1.1.1'], '1.1.1.1, 127.0.0.1'],
    [
      ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 2.2.2.2, 3.3.3.3'],
      '1.1.1.1, 2.2.2.2, 3.3.3.3, 127.0.0.1',
    ],
    [
      ['x-forwarded-for:1.1.1.1', 'A: b', 'Not: x-forwarded-for: 7', 'X-FORWARDED-FOR: 2.2.2.2', 'Z: y'],
      '1.1.1.1, 2.2.2.2, 127.0.0.1',
    ],
    [Array.from({ length: 20 }, (_, n) => `X-Forwarded-For: 1.1.1.${n}`), null],
  ])('%j of a trusted client becomes one line', async (lines, expected) => {
    const { headers } = await send('GET / HTTP/1.1', 'Host: trusting', ...lines);
    const twenty = Array.from({ length: 20 }, (_, n) => `1.1.1.${n}`).join(', ');
    expect(headers.filter((line) => line.startsWith('x-forwarded-for'))).toEqual([
      `x-forwarded-for: ${expected ?? `${twenty}, 127.0.0.1`}`,
    ]);
  });
});

describe('what concerns one connection only', () => {
  test('is not passed on, neither way', async () => {
    const { headers, answer } = await get(
      'Keep-Alive: timeout=5',
      'Proxy-Authorization: Basic eA==',
      'Proxy-Connection: keep-alive',
      'Proxy: http://evil',
      'TE: gzip',
      'Upgrade: h2c',
      'HTTP2-Settings: AAMAAABkAAQAAP__',
      'Connection: Upgrade, HTTP2-Settings, keep-alive',
    );
    expect(headers).toEqual(['host: x', ...OURS]);
    expect(answer).not.toMatch(/keep-alive|proxy-auth|x-own/i);
  });

  test('TE: trailers and Trailer pass, as gRPC needs them', async () => {
    const { headers } = await get('TE: gzip, trailers', 'Trailer: x-sum');
    expect(headers).toEqual(expect.arrayContaining(['te: trailers', 'trailer: x-sum']));
  });

  test('a WebSocket is upgraded', async () => {
    const { status, answer } = await get(
      'Connection: keep-alive, Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    );
    expect(status).toBe(101);
    expect(answer).toMatch(/^connection: upgrade$/im);
  });
});

describe('the target', () => {
  test.each([
    ['GET http://x/a?b=c HTTP/1.1', '/a?b=c'],
    ['GET http://x HTTP/1.1', '/'],
    ['GET https://x/%2e?q=http://y/ HTTP/1.1', '/%2e?q=http://y/'],
    ['GET //y/z HTTP/1.1', '//y/z'],
    ['GET /?u=http://y HTTP/1.1', '/?u=http://y'],
    ['OPTIONS * HTTP/1.1', '*'],
  ])('%s reaches the server as %s', async (line, target) =>
    expect(await send(line, 'Host: x')).toMatchObject({ status: 200, target }),
  );

  test.each(['GET a HTTP/1.1', 'GET http://y/ HTTP/1.1'])('%s is 400', async (line) =>
    expect((await send(line, 'Host: x')).status).toBe(400),
  );
});

describe('the Host', () => {
  test.each([
    ['missing', []],
    ['empty', ['Host:']],
    ['a blank', ['Host: a b']],
    ['a slash', ['Host: a/b']],
    ['a user', ['Host: u@x']],
    ['an angle', ['Host: <x>']],
    ['a port that is none', ['Host: x:8a']],
    ['a port too long', ['Host: x:123456']],
    ['a query', ['Host: x?y']],
    ['a scheme', ['Host: http://x']],
    ['two', ['Host: x', 'Host: y']],
  ])('%s: 400', async (_what, lines) => expect((await send('GET / HTTP/1.1', ...lines)).status).toBe(400));

  test('malformed is answered as JSON', async () => {
    const { answer, body } = await send('GET / HTTP/1.1', 'Host: a/b');
    expect(answer).toMatch(/^content-type: application\/json$/m);
    expect(body).toBe('{"error":"missing or malformed host"}');
  });

  test.each(['x', 'X.example.test:8080', '[::1]:80', '10.0.0.1', 'a_b.test', 'x:'])(
    '%s is served',
    async (host) => expect((await send('GET / HTTP/1.1', `Host: ${host}`)).status).toBe(200),
  );

  test('HTTP/1.0 needs none', async () => expect((await send('GET / HTTP/1.0')).status).toBe(200));
});

describe('the length of the header', () => {
  const big = (bytes: number) => `X-Big: ${'x'.repeat(bytes)}`;
  test('up to the limits it is served', async () => {
    expect((await get(big(16_000))).status).toBe(200);
    expect((await get(...Array.from({ length: 98 }, (_, n) => `A${n}: b`))).status).toBe(200);
  });

  test('beyond them: 431, as JSON', async () => {
    for (const lines of [[big(16_400)], [big(18_000)], Array.from({ length: 120 }, (_, n) => `A${n}: b`)]) {
      const { status, body } = await get(...lines);
      expect([status, body]).toEqual([431, '{"error":"request header too large"}']);
    }
  });

  test('far beyond them HAProxy itself answers 400', async () =>
    expect((await get(big(40_000))).status).toBe(400));
});

/** Bytes as they are, until the gateway closes the connection. */
function raw(bytes: Buffer | string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1');
    const timer = setTimeout(() => socket.destroy(), 3000);
    socket.on('data', (part) => (text += part));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.write(bytes);
  });
}

/** HAProxy's own page, which no setting replaces before the fix of its issue 3032. */
const PAGE = '<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n';
const WORDS = '{"error":"bad request: malformed, or its header is too large"}';

describe('what is no HTTP is answered 400, and the connection is closed', () => {
  const head = 'GET / HTTP/1.1\r\nHost: x\r\n';
  const post = 'POST / HTTP/1.1\r\nHost: x\r\n';
  test.each([
    ['no request line', 'hello\r\n\r\n'],
    ['no version', 'GET /\r\n\r\n'],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex')],
    ['a byte of zero', 'GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a byte above ASCII in the path', Buffer.from('GET /\xfc HTTP/1.1\r\nHost: x\r\n\r\n', 'latin1')],
    ['an odd method', 'G{T / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a header without a colon', `${head}Oops\r\n\r\n`],
    ['a blank in the name of a header', `${head}A b: c\r\n\r\n`],
    ['half a line end in a header', `${head}A: b\rc\r\n\r\n`],
    ['two lengths', `${head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`],
    ['a length that is no number', `${head}Content-Length: -1\r\n\r\n`],
    ['an unknown encoding', `${head}Transfer-Encoding: gzip\r\n\r\n`],
    ['chunked twice', `${head}Transfer-Encoding: chunked, chunked\r\n\r\n`],
    ['no chunks', `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['two hosts', `${head}Host: y\r\n\r\n`],
    ['a tunnel to nowhere', 'CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['a header of 100 KB', `${head}A: ${'x'.repeat(100_000)}\r\n\r\n`],
    ['1000 lines', `${head}${'A: b\r\n'.repeat(1000)}\r\n`],
    ['a target of 100 KB', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ])('%s', async (_, bytes) => {
    const text = await raw(bytes);
    expect(text).toMatch(/^HTTP\/1.1 400 /);
    expect([PAGE, WORDS]).toContain(text.split('\r\n\r\n')[1]);
  });
});

test('CONNECT is refused: behind it a client could say what it likes', async () => {
  const { status, body } = await send('CONNECT x:443 HTTP/1.1', 'Host: x:443');
  expect([status, body]).toEqual([405, '{"error":"method not allowed"}']);
});
