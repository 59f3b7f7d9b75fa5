import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import {
  connect,
  createSecureServer,
  createServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { translate } from '../../../src/lib/gateway/haproxy/translate/translate.ts';
import { freePort, listening } from '../../support/port.ts';
import {
  ensureHaproxy,
  optionsFor,
  type RunningHaproxy,
  runHaproxy,
  stateOf,
} from './support/haproxy-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'cluster-grpc-'));
const servers: Http2Server[] = [];
let port = 0;
let running: RunningHaproxy;

/** A gRPC server, as far as HTTP/2 is concerned: echoes messages, and says how it went in trailers. */
function serve(stream: ServerHttp2Stream, headers: Record<string, unknown>): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'x-te': String(headers.te) },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0', 'grpc-message': 'fine' }));
  stream.pipe(stream);
}

beforeAll(async () => {
  ensureHaproxy();
  port = await freePort();
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const args = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  execFileSync(
    'openssl',
    [
      ...args,
      '-subj',
      '/CN=grpc.test',
      '-addext',
      'subjectAltName=DNS:grpc.test',
      '-keyout',
      key,
      '-out',
      cert,
    ],
    { stdio: 'ignore' },
  );
  const pem = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  const plain = createServer();
  const secure = createSecureServer(pem);
  for (const server of [plain, secure]) {
    server.on('stream', serve);
    servers.push(server);
  }
  const [clear, tls] = [await listening(plain), await listening(secure)];
  const frontend = (host: string, BackendId: string) => ({
    Type: 'http',
    BackendId,
    Route: `Host("${host}")`,
    Settings: {},
  });
  const state = stateOf({
    'backends/clear/backend': { Type: 'http' },
    'backends/clear/servers/s': { URL: `h2c://127.0.0.1:${clear}` },
    'backends/tls/backend': { Type: 'http', Settings: { TLS: { InsecureSkipVerify: true } } },
    'backends/tls/servers/s': { URL: `https://127.0.0.1:${tls}` },
    'frontends/clear/frontend': frontend('grpc.test', 'clear'),
    'frontends/tls/frontend': frontend('tls.test', 'tls'),
    'hosts/grpc.test/host': {
      Settings: { Default: true, KeyPair: Buffer.from(pem.cert + pem.key).toString('base64') },
    },
    'listeners/l': { Protocol: 'https', Address: { Network: 'tcp', Address: `127.0.0.1:${port}` } },
  });
  running = await runHaproxy((directory) => translate(state, optionsFor('127.0.0.1:1', directory)));
});
afterAll(async () => {
  await running.stop();
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

test.each([
  ['h2c', 'grpc.test'],
  ['https', 'tls.test'],
])(
  'gRPC through the gateway to a server by %s: both directions stream, and trailers arrive',
  async (_scheme, host) => {
    const session = connect(`https://127.0.0.1:${port}`, {
      rejectUnauthorized: false,
      servername: 'grpc.test',
    });
    const stream = session.request({
      ':method': 'POST',
      ':path': '/demo.Echo/Talk',
      ':authority': host,
      te: 'trailers',
      'content-type': 'application/grpc',
    });
    const headers = new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve));
    const trailers = new Promise<Record<string, unknown>>((resolve) => stream.on('trailers', resolve));
    const heard = () =>
      new Promise<string>((resolve) => stream.once('data', (part: Buffer) => resolve(part.toString())));
    stream.write('one');
    expect(await heard()).toBe('one');
    expect(await headers).toMatchObject({
      ':status': 200,
      'content-type': 'application/grpc',
      'x-te': 'trailers',
    });
    const again = heard();
    stream.end('two');
    expect(await again).toBe('two');
    expect(await trailers).toMatchObject({ 'grpc-status': '0', 'grpc-message': 'fine' });
    session.destroy();
  },
);
