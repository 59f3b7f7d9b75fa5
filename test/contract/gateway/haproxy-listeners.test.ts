import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRequestLog } from '../../../src/lib/gateway/haproxy/requests/log.ts';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { keyFiles } from '../../support/key-files.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  ask,
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';

const frontend = (Route: string, BackendId = 'b1', Settings: object = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});
const listener = (Address: string, more: object = {}) => ({
  Protocol: 'http',
  Address: { Network: Address.startsWith('/') ? 'unix' : 'tcp', Address },
  ...more,
});

let folder = '';
let server: Server;
let running: RunningHaproxy | undefined;
const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A key pair for this name, as PEM. */
const keyPair = (name: string): string => keyFiles(folder, name).pem;

beforeAll(async () => {
  ensureHaproxy();
  folder = mkdtempSync(join(tmpdir(), 'cluster-haproxy-test-'));
  server = createServer(({ headers, url }, response) => {
    response.setHeader('x-answer', 'a "quoted" one');
    response.end(JSON.stringify({ url, headers }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  await running?.stop();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

const plainServer = () => ({ URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

async function serve(objects: Record<string, unknown>, logSocket?: string, caFile?: string) {
  await running?.stop();
  const state = stateOf({
    'backends/b1/backend': { Type: 'http' },
    'backends/b1/servers/s1': plainServer(),
    ...objects,
  });
  const port = await freePort();
  let made: ReturnType<typeof translate> | undefined;
  running = await runHaproxy((directory) => {
    made = translate(state, {
      ...optionsFor(`127.0.0.1:${port}`, directory, logSocket),
      listenerDirectory: folder,
      ...(caFile && { caFile }),
    });
    return made;
  });
  return { port, leftOut: made?.leftOut ?? [], notes: made?.notes ?? [] };
}

describe('listeners', () => {
  test('scopes, sockets, the PROXY header; one that cannot be does not harm the others', async () => {
    const [open, scoped, proxied] = [await freePort(), await freePort(), await freePort()];
    const socket = join(folder, 'listener.sock');
    const { leftOut } = await serve({
      'frontends/f/frontend': frontend('PathRegexp(".*")'),
      'listeners/open': listener(`127.0.0.1:${open}`),
      'listeners/scoped': listener(`127.0.0.1:${scoped}`, { Scope: 'Host("in.io") || Path("/in")' }),
      'listeners/proxied': listener(`127.0.0.1:${proxied}`, { ProxyProtocol: 'PROXY_V1' }),
      'listeners/unix': listener('/run/cluster-gateway/listeners/listener.sock'),
      'listeners/elsewhere': listener('/etc/passwd'),
      'listeners/again': listener(`127.0.0.1:${scoped}`),
      'listeners/named': listener('no.such.name.invalid:80'),
      'listeners/tls': listener('127.0.0.1:8443', { Protocol: 'https' }),
    });
    expect(leftOut.map(({ object, message }) => `${object}: ${message}`)).toEqual([
      'listener elsewhere: /etc/passwd is not a name in /run/cluster-gateway/listeners',
      'listener named: no.such.name.invalid is not an IP address',
      'listener scoped: listener again has the same address',
      'listener tls: no host has a key pair, so it cannot speak TLS',
    ]);
    expect((await ask(open, { headers: { host: 'x' } })).status).toBe(200);
    const told = await new Promise<string>((resolve, reject) => {
      let text = '';
      connect(proxied, '127.0.0.1')
        .on('error', reject)
        .on('data', (part) => (text += part))
        .on('end', () => resolve(text))
        .write('PROXY TCP4 9.8.7.6 1.1.1.1 1 2\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n');
    });
    expect(told).toContain('"x-forwarded-for":"9.8.7.6"');
    const status = await new Promise<number>((resolve, reject) => {
      httpRequest({ socketPath: socket, headers: { host: 'h' } }, (got) => {
        got.resume();
        resolve(got.statusCode ?? 0);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });

  test.each([
    ['no frontend', false],
    ['another frontend', true],
  ])('on a socket no claim about the client passes where %s trusts', async (_what, trusting) => {
    await serve({
      'frontends/f/frontend': frontend('PathRegexp(".*")'),
      ...(trusting && {
        'frontends/t/frontend': {
          ...frontend('Host("trusting")'),
          Settings: { TrustForwardHeader: true },
        },
      }),
      'listeners/unix': listener('/run/cluster-gateway/listeners/claims.sock'),
    });
    const told = (host: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const claims = { 'x-forwarded-for': '6.6.6.6', 'x-real-ip': '6.6.6.6', x_forwarded_for: '6.6.6.6' };
        const headers = { host, ...claims };
        httpRequest({ socketPath: join(folder, 'claims.sock'), headers }, (got) => {
          let text = '';
          got.on('data', (part) => (text += part));
          got.on('end', () => resolve(text));
        })
          .on('error', reject)
          .end();
      });
    expect(await told('h')).not.toContain('6.6.6.6');
    expect((await told('trusting')).includes('"x-forwarded-for":"6.6.6.6"')).toBe(trusting);
  });

  test('requests outside the scope are nobody’s', async () => {
    const scoped = await freePort();
    await serve({
      'frontends/f/frontend': frontend('PathRegexp(".*")'),
      'listeners/scoped': listener(`127.0.0.1:${scoped}`, { Scope: 'Host("in.io") || Path("/in")' }),
    });
    const status = async (host: string, path: string) =>
      (await ask(scoped, { path, headers: { host } })).status;
    expect([await status('in.io', '/'), await status('x', '/in'), await status('x', '/')]).toEqual([
      200, 200, 404,
    ]);
  });

  test('TLS: certificate by SNI, else the default host’s; HTTP/2; a key pair that is none is left out', async () => {
    const port = await freePort();
    const host = (pem: string, Default = false) => ({ Settings: { Default, KeyPair: base64(pem) } });
    const [a, b, main] = [keyPair('a.test'), keyPair('b.test'), keyPair('main.test')];
    const { leftOut } = await serve({
      'frontends/f/frontend': frontend('PathRegexp(".*")'),
      'listeners/l': listener(`127.0.0.1:${port}`, {
        Protocol: 'https',
        Settings: { TLS: { MinVersion: 'VersionTLS12', SessionTicketsDisabled: true } },
      }),
      'hosts/a.test/host': host(a),
      'hosts/b.test/host': host(b),
      'hosts/main.test/host': host(main, true),
      'hosts/mixed.test/host': host(
        a.slice(0, a.indexOf('-----BEGIN PRIVATE')) + b.slice(b.indexOf('-----BEGIN PRIVATE')),
      ),
      'hosts/junk.test/host': host('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      'hosts/evil.test/host': host('nothing\nssl-default-bind-options x'),
    });
    expect(leftOut.map(({ object }) => object)).toEqual([
      'host evil.test',
      'host junk.test',
      'host mixed.test',
    ]);
    const shake = (servername: string) =>
      new Promise<[string, string | false | null]>((resolve, reject) => {
        const options = {
          port,
          host: '127.0.0.1',
          servername,
          rejectUnauthorized: false,
          ALPNProtocols: ['h2'],
        };
        const socket = connectTls(options, () => {
          resolve([String(socket.getPeerCertificate().subject.CN), socket.alpnProtocol]);
          socket.destroy();
        }).on('error', reject);
      });
    expect(await shake('a.test')).toEqual(['a.test', 'h2']);
    expect(await shake('b.test')).toEqual(['b.test', 'h2']);
    expect(await shake('other.test')).toEqual(['main.test', 'h2']);
  });
});

describe('servers that speak TLS', () => {
  test('are believed only with a certificate for their name, unless the backend says otherwise', async () => {
    const pem = keyPair('localhost');
    const secure = createTlsServer({ key: pem, cert: pem }, (_request, response) => response.end('secure'));
    const URL = `https://localhost:${await listening(secure)}`;
    const objects = {
      'backends/sure/backend': { Type: 'http' },
      'backends/sure/servers/s': { URL },
      'backends/any/backend': { Type: 'http', Settings: { TLS: { InsecureSkipVerify: true } } },
      'backends/any/servers/s': { URL },
      'frontends/sure/frontend': frontend('Path("/sure")', 'sure'),
      'frontends/any/frontend': frontend('Path("/any")', 'any'),
    };
    const first = await serve(objects);
    const status = async (port: number, path: string) => (await ask(port, { path })).status;
    expect([await status(first.port, '/sure'), await status(first.port, '/any')]).toEqual([502, 200]);
    const second = await serve(objects, undefined, join(folder, 'localhost.pem'));
    expect(await status(second.port, '/sure')).toBe(200);
    const added = `add server sure/t 127.0.0.1:${URL.split(':').at(-1)} weight 1 ssl verify required ca-file ${join(folder, 'localhost.pem')} sni str(localhost) verifyhost localhost`;
    expect(await running?.command(added)).toContain('New server registered');
    secure.closeAllConnections();
    secure.close();
  });
});

describe('the log of watched frontends', () => {
  test('one line of JSON for each request, with the headers that were asked for', async () => {
    const lines: string[] = [];
    const log = createNetServer((connection) => {
      connection.on('data', (part) => lines.push(...part.toString().split('\n').filter(Boolean)));
    });
    const socket = join(folder, 'requests.sock');
    await new Promise<void>((resolve) => log.listen(socket, resolve));
    const trace = { Addr: 'syslog://127.0.0.1:514', ReqHeaders: ['X-A', "X'B%"], RespHeaders: ['X-Answer'] };
    const { port } = await serve(
      {
        'frontends/a "b" 50%/frontend': frontend('Path("/t")'),
        'frontends/a "b" 50%/middlewares/m': { Type: 'trace', Priority: 1, Middleware: trace },
        'frontends/quiet/frontend': frontend('Path("/q")'),
        'frontends/gone/frontend': frontend('Path("/gone")', 'gone'),
        'frontends/gone/middlewares/m': {
          Type: 'cbreaker',
          Priority: 1,
          Middleware: {
            Condition: 'NetworkErrorRatio() > 0.5',
            Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'x' } },
          },
        },
        'backends/gone/backend': { Type: 'http' },
        'backends/gone/servers/s': { URL: `http://127.0.0.1:${await freePort()}` },
      },
      socket,
    );
    await ask(port, { path: '/q' });
    await ask(port, { path: '/t?q="1"', headers: { 'x-a': 'say "hi" \\ é', "x'b%": 'odd' }, method: 'PUT' });
    await ask(port, { path: '/gone', headers: { 'x-a': 'not wanted here' } });
    for (const until = Date.now() + 5000; Date.now() < until && lines.length < 2; )
      await new Promise((resolve) => setTimeout(resolve, 10));
    log.close();
    const [first, second, ...more] = lines.map(readRequestLog);
    expect(more).toEqual([]);
    expect(first).toMatchObject({
      frontend: 'a "b" 50%',
      method: 'PUT',
      status: 200,
      path: '/t?q="1"',
      isNetworkError: false,
      requestHeaders: { "X'B%": 'odd' },
      responseHeaders: { 'X-Answer': 'a "quoted" one' },
    });
    expect(first?.requestHeaders['X-A']).toMatch(/^say "hi" \\ /);
    expect(first?.latencyMs).toBeGreaterThanOrEqual(0);
    expect(second).toMatchObject({
      frontend: 'gone',
      status: 502,
      latencyMs: -1,
      isNetworkError: true,
      isOwnAnswer: false,
      requestHeaders: { 'X-A': '' },
    });
  });
});
