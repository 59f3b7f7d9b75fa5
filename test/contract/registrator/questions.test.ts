import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readCheck } from '../../../src/lib/discovery/offers/check.ts';
import { probeHttp } from '../../../src/lib/discovery/probe.ts';
import { probeGrpc } from '../../../src/lib/discovery/probe-grpc.ts';
import { type Authority, authority, type KeyFiles } from '../../support/key-files.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  demo,
  docker,
  etcd,
  lines,
  NAME,
  ONE,
  poll,
  problems,
  registrator,
  SERVER,
  servers,
  withRegistry,
} from './support/registrator.ts';

let dir: string;
let ca: Authority;
let pair: KeyFiles;
const ends: (() => void)[] = [];
const before = process.env.SSL_CERT_FILE;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'cluster-checks-'));
  ca = authority(dir, 'authority');
  pair = ca.sign('a.test', ['subjectAltName=DNS:a.test,IP:127.0.0.1']);
});
afterAll(() => rm(dir, { recursive: true }));
beforeEach(() => {
  process.env.SSL_CERT_FILE = ca.cert;
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
  if (before === undefined) delete process.env.SSL_CERT_FILE;
  else process.env.SSL_CERT_FILE = before;
});

const TIMEOUT_MS = 2000;

/** A server of the test's own; one with keys speaks TLS. */
async function web(listener: RequestListener, keys?: KeyFiles): Promise<number> {
  const server =
    keys === undefined ? createHttp(listener) : createHttps({ key: keys.pem, cert: keys.pem }, listener);
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return listening(server);
}

/** What comes of the question that these variables ask. */
function ask(port: number, scheme: 'http' | 'https', attributes: Record<string, string>) {
  const { check, problems } = readCheck(attributes);
  expect(problems).toEqual([]);
  const { how } = check!;
  const at = { address: '127.0.0.1', port };
  if (how.kind === 'grpc') return probeGrpc(scheme === 'https' || how.tls, at, how, TIMEOUT_MS);
  if (how.kind !== 'http' && how.kind !== 'https') throw new Error(how.kind);
  return probeHttp(scheme, at, how, TIMEOUT_MS);
}

describe('HTTP', () => {
  test.each([
    ['200', 200, true],
    ['200', 204, false],
    ['200-299,401', 204, true],
    ['200-299,401', 401, true],
    ['200-299,401', 301, false],
    ['3xx', 302, true],
    ['5xx', 503, true],
  ])('with %s, %d is good: %s', async (check_status, code, good) => {
    const port = await web((_, response) =>
      response.writeHead(code, { Location: 'http://nowhere.invalid/' }).end(),
    );
    expect(await ask(port, 'http', { check_http: '/', check_status })).toEqual({
      good,
      text: `HTTP code ${code}`,
    });
  });

  test('the Host header is the one that is said, otherwise the address; the method too', async () => {
    const heard: string[] = [];
    const port = await web(({ method, headers, url }, response) => {
      heard.push(`${method} ${headers.host} ${url}`);
      response.end();
    });
    await ask(port, 'http', { check_http: '/a?b=c' });
    await ask(port, 'http', { check_http: 'health', check_host: 'shop.test:81', check_http_method: 'HEAD' });
    expect(heard).toEqual([`GET 127.0.0.1:${port} /a?b=c`, 'HEAD shop.test:81 /health']);
  });
});

describe('HTTPS', () => {
  const verified = { check_https: '/', check_tls_verify: 'true' };
  const good = { good: true, text: 'HTTP code 200' };

  test.each([
    ['not verified', {}, undefined, good],
    ['verified by the address', verified, undefined, good],
    ['verified by its name', { ...verified, check_host: 'a.test:444' }, undefined, good],
    ['of another name', { ...verified, check_host: 'b.test' }, undefined, /altnames.*b\.test/],
    ['of an authority that is not trusted', verified, 'self', /self-signed certificate/],
    ['the same, not verified', { check_tls_verify: 'false' }, 'self', good],
  ] as const)('%s', async (_, attributes, self, expected) => {
    const port = await web((__, response) => response.end(), self ? authority(dir, 'self') : pair);
    const result = await ask(port, 'https', { check_https: '/', ...attributes });
    if (expected instanceof RegExp)
      expect(result).toMatchObject({ good: false, text: expect.stringMatching(expected) });
    else expect(result).toEqual(expected);
  });

  test('the name is sent, so that servers of many names know which is asked', async () => {
    const names: unknown[] = [];
    const port = await web(({ socket }, response) => {
      names.push('servername' in socket ? socket.servername : null);
      response.end();
    }, pair);
    await ask(port, 'https', { check_https: '/', check_host: 'a.test' });
    await ask(port, 'https', { check_https: '/' });
    expect(names).toEqual(['a.test', false]);
  });

  test('an authority that the system trusts from now on counts at once', async () => {
    const other = authority(dir, 'other');
    const port = await web(
      (_, response) => response.end(),
      other.sign('c.test', ['subjectAltName=IP:127.0.0.1']),
    );
    expect((await ask(port, 'https', verified)).good).toBe(false);
    process.env.SSL_CERT_FILE = other.cert;
    expect((await ask(port, 'https', verified)).good).toBe(true);
  });
});

/** A real gRPC server whose Health service says this of its services; others are NOT_FOUND. */
async function grpc(health: Readonly<Record<string, number>>, keys?: KeyFiles): Promise<number> {
  const server = new Server();
  const passed = (value: Buffer): Buffer => value;
  server.addService(
    {
      Check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: passed,
        requestDeserialize: passed,
        responseSerialize: passed,
        responseDeserialize: passed,
      },
    },
    {
      Check: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        const long = (request[1] ?? 0) > 127;
        const name = request.subarray(long ? 3 : 2).toString();
        const state = health[name];
        if (state === undefined) answer({ code: status.NOT_FOUND, details: `no ${name}` });
        else answer(null, state === 0 ? Buffer.alloc(0) : Buffer.from([8, state]));
      },
    },
  );
  const credentials =
    keys === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { private_key: Buffer.from(keys.pem), cert_chain: readFileSync(keys.cert) },
        ]);
  ends.push(() => server.forceShutdown());
  return new Promise((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port))),
  );
}

describe('gRPC', () => {
  const long = `a.${'very.'.repeat(40)}long.Name`;

  test.each([
    ['true', true, 'gRPC status SERVING'],
    ['shop.v1.Cart', false, 'gRPC status NOT_SERVING'],
    ['shop.v1.Unknown', false, 'gRPC status UNKNOWN'],
    [long, true, 'gRPC status SERVING'],
    ['nobody', false, 'gRPC error NOT_FOUND: no nobody'],
  ])('%s', async (check_grpc, good, text) => {
    const port = await grpc({ '': 1, 'shop.v1.Cart': 2, 'shop.v1.Unknown': 0, [long]: 1 });
    expect(await ask(port, 'http', { check_grpc })).toEqual({ good, text });
  });

  test('over TLS, with and without a look at the certificate', async () => {
    const port = await grpc({ '': 1 }, pair);
    const tls = { check_grpc: 'true', check_grpc_use_tls: 'true' };
    const verified = { ...tls, check_tls_verify: 'true' };
    expect((await ask(port, 'http', tls)).good).toBe(true);
    expect((await ask(port, 'https', { check_grpc: 'true' })).good).toBe(true);
    expect((await ask(port, 'http', { ...verified, check_host: 'a.test' })).good).toBe(true);
    expect((await ask(port, 'http', verified)).good).toBe(true);
    expect((await ask(port, 'http', { ...verified, check_host: 'b.test' })).good).toBe(false);
    expect((await ask(port, 'http', { check_grpc: 'true' })).good).toBe(false);
  });

  test('nothing there, something else there, and no answer', async () => {
    const refused = await ask(await freePort(), 'http', { check_grpc: 'true' });
    expect(refused).toEqual({ good: false, text: 'connection refused', refused: true });
    const page = await web((_, response) => response.end());
    expect(await ask(page, 'http', { check_grpc: 'true' })).toMatchObject({ good: false });
    const silent = createTcp(() => undefined);
    ends.push(() => silent.close());
    const started = performance.now();
    const late = await ask(await listening(silent), 'http', { check_grpc: 'true' });
    expect(late).toEqual({ good: false, text: 'no answer within 2s' });
    expect(performance.now() - started).toBeLessThan(TIMEOUT_MS + 1000);
  });

  test('a failure leaves no pause behind for the next question', async () => {
    const port = await freePort();
    for (let n = 0; n < 3; n++) expect((await ask(port, 'http', { check_grpc: 'true' })).good).toBe(false);
    const page = createHttp();
    ends.push(() => page.close());
    const served = await grpc({ '': 1 });
    const started = performance.now();
    expect((await ask(served, 'http', { check_grpc: 'true' })).good).toBe(true);
    expect(performance.now() - started).toBeLessThan(500);
  });
});

describe('a container that is checked by gRPC', () => {
  withRegistry();

  test('is announced with h2c, comes and goes with its health, on one line each', async () => {
    const health = { '': 2 };
    const port = await grpc(health);
    const env = { SERVICE_CHECK_GRPC: 'true', SERVICE_CHECK_INTERVAL: '200ms' };
    docker.run('c1', demo(port, 1, env));
    await registrator();
    await poll(() => lines.filter((line) => line.startsWith('Health'))).toHaveLength(1);
    expect(await servers()).toEqual([]);
    health[''] = 1;
    await poll(servers).toEqual([ONE]);
    expect(JSON.parse(etcd.etcdctl('get', '--print-value-only', SERVER))).toMatchObject({
      URL: `h2c://127.0.0.1:${port}`,
    });
    health[''] = 2;
    await poll(servers).toEqual([]);
    const at = `Health check ${NAME}@1 (grpc://127.0.0.1:${port}) result gRPC status`;
    expect(lines.filter((line) => line.startsWith('Health'))).toEqual([
      `${at} NOT_SERVING`,
      `${at} SERVING`,
      `${at} NOT_SERVING`,
    ]);
  });

  test.each([
    [{ SERVICE_SCHEME: 'http', SERVICE_CHECK_GRPC: 'true' }, 'http', 0],
    [{ SERVICE_SCHEME: 'h2c' }, 'h2c', 0],
    [{ SERVICE_SCHEME: 'https' }, 'https', 0],
    [{ SERVICE_SCHEME: 'gopher' }, 'http', 1],
  ])('%j is announced with %s', async (env, scheme, wrong) => {
    const port = await grpc({ '': 1 });
    docker.run('c1', demo(port, 1, env));
    await registrator();
    await poll(servers).toEqual([ONE]);
    expect(JSON.parse(etcd.etcdctl('get', '--print-value-only', SERVER))).toMatchObject({
      URL: `${scheme}://127.0.0.1:${port}`,
    });
    expect(problems.filter((line) => line.includes('SERVICE_SCHEME'))).toHaveLength(wrong);
  });
});
