import { randomBytes } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import { createServer as createMute } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatewayStatus } from '../../../src/lib/gateway/admin.ts';
import { GatewayRegistry } from '../../../src/lib/registry/index.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { sealKeyPair } from '../../../src/lib/traffic/seal.ts';
import { type Running, startCli, type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort, listening } from '../../support/port.ts';
import { gatewayStatus, get, writesOf } from './support.ts';

const MACHINE = 'badc0ffeebadc0ffeebadc0ffeebadc0';

let etcd: EtcdServer;
let store: Store;
let place: Workplace;
let listen: number;
let admin: number;
let echo: Server;
let behind: number;
let gateway: Running;

/** The real command, in a folder of its own. */
function start(name: string, ports: { listen: number; admin: number }, env: NodeJS.ProcessEnv): Running {
  const args = ['gateway', '--listen', `127.0.0.1:${ports.listen}`, '--admin', `127.0.0.1:${ports.admin}`];
  args.push('--run-dir', join(place.dir, name, 'run'), '--state-dir', join(place.dir, name, 'state'));
  args.push('--machine', MACHINE, '--seal-key', 'ab'.repeat(32));
  return startCli(args, place.dir, { ...place.env, PATH: `${process.env.PATH}:/usr/sbin`, ...env });
}

async function write(values: Record<string, object | string | null>): Promise<void> {
  const revision = (await store.commit({ compare: [], writes: writesOf('/vulcand/', values) })) ?? 0;
  const record = async () => (await new GatewayRegistry(store, '/cluster').load()).gateways.get(MACHINE);
  await eventually(`revision ${revision}`, async () => ((await record())?.revision ?? 0) >= revision, 20_000);
}

const status = (port = admin): Promise<GatewayStatus> => gatewayStatus(port);
const frontend = (BackendId: string, host: string, Settings = {}) => ({
  Type: 'http',
  BackendId,
  Route: `Host("${host}")`,
  Settings,
});
const good = () => ({ URL: `http://127.0.0.1:${behind}` });

/** What the server behind saw of a request with these headers and this body. */
function ask(host: string, headers: Record<string, string> = {}, body = '') {
  return new Promise<{ status: number; seen: Record<string, string> }>((resolve, reject) => {
    const length = { 'content-length': String(Buffer.byteLength(body)) };
    const options = { port: listen, host: '127.0.0.1', method: 'POST', agent: false as const };
    const asked = request({ ...options, headers: { ...headers, ...length, host } }, (response) => {
      let text = '';
      response.on('data', (part) => (text += part));
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        resolve({ status, seen: status === 200 ? JSON.parse(text) : {} });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

beforeAll(async () => {
  echo = createServer((incoming, response) => {
    const wait = Number(new URL(incoming.url ?? '/', 'http://x').searchParams.get('wait') ?? 0);
    setTimeout(() => response.end(JSON.stringify(incoming.headers)), wait);
  });
  behind = await listening(echo);
  [etcd, place] = [await startEtcd(), await workplace()];
  [listen, admin] = [await freePort(), await freePort()];
  store = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 3000 });
  // What made vulcand end at its start: traps 4 and 5.
  const writes = writesOf('/vulcand/', {
    'backends/good/backend': { Type: 'http' },
    'backends/good/servers/s': good(),
    'frontends/good/frontend': frontend('good', 'good'),
    'frontends/lost/frontend': frontend('gone', 'lost'),
    'frontends/orphan/frontend': frontend('headless', 'orphan'),
    'backends/headless/servers/s': good(),
    'frontends/broken/frontend': '{oops',
    'backends/broken/backend': '[1]',
    'hosts/broken/host': 'null',
    'listeners/broken': '"x"',
  });
  await store.commit({ compare: [], writes });
  gateway = start('main', { listen, admin }, { CLUSTER_ENDPOINT: etcd.endpoint });
  await eventually('started', async () => (await get(listen, 'good')).status === 200, 20_000);
});

afterAll(async () => {
  gateway.child.kill('SIGTERM');
  await gateway.ended;
  await store.close();
  await etcd.stop();
  echo.close();
  echo.closeAllConnections();
  await place.remove();
});

test('4: an unknown backend, a backend of servers only and broken values do not keep it from starting', async () => {
  expect(gateway.child.exitCode).toBeNull();
  expect((await get(listen, 'lost')).status).toBe(503);
  expect((await get(listen, 'orphan')).status).toBe(503);
  // HAProxy serves a moment before the gateway knows that it does.
  await eventually('reported', async () => (await status()).leftOut.length > 0);
  const { leftOut, notes } = await status();
  const out = leftOut.map(({ object }) => object).join('\n');
  for (const path of ['frontends/broken', 'backends/broken', 'hosts/broken', 'listeners/broken'])
    expect(out).toContain(path);
  expect(notes).toContainEqual({ object: 'frontend lost', message: expect.stringContaining('gone') });
  await write({
    'frontends/broken/frontend': null,
    'backends/broken/backend': null,
    'hosts/broken/host': null,
    'listeners/broken': null,
  });
  expect((await status()).leftOut).toEqual([]);
});

test('5: a frontend from before its backend is served once that comes', async () => {
  await write({ 'backends/gone/backend': { Type: 'http' } });
  expect((await get(listen, 'lost')).status).toBe(503);
  await write({ 'backends/gone/servers/s': good() });
  expect((await get(listen, 'lost')).status).toBe(200);
  await write({ 'backends/headless/backend': { Type: 'http' } });
  expect((await get(listen, 'orphan')).status).toBe(200);
  await write({ 'backends/gone/backend': null, 'backends/gone/servers/s': null });
  expect((await get(listen, 'lost')).status).toBe(503);
});

test('6: each setting takes effect alone', async () => {
  const forged = { 'x-forwarded-for': '9.9.9.9' };
  expect((await ask('good', forged)).seen['x-forwarded-for']).toBe('127.0.0.1');
  await write({ 'frontends/good/frontend': frontend('good', 'good', { TrustForwardHeader: true }) });
  expect((await ask('good', forged)).seen['x-forwarded-for']).toMatch(/^9\.9\.9\.9,\s*127\.0\.0\.1$/);
  await write({ 'frontends/good/frontend': frontend('good', 'good', { Hostname: 'edge.test' }) });
  expect((await ask('good', forged)).seen).toMatchObject({
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-server': 'edge.test',
  });
  await write({ 'frontends/good/frontend': frontend('good', 'good', { Limits: { MaxBodyBytes: 4 } }) });
  expect((await ask('good', {}, '12345')).status).toBe(413);
  await write({ 'frontends/good/frontend': frontend('good', 'good', { PassHostHeader: true }) });
  expect(await ask('good', {}, '12345')).toMatchObject({ status: 200, seen: { host: 'good' } });
  await write({ 'backends/good/backend': { Type: 'http', Settings: { Timeouts: { Read: '200ms' } } } });
  expect((await get(listen, 'good', '/?wait=1500')).status).toBe(504);
  await write({ 'backends/good/backend': { Type: 'http' } });
  expect((await get(listen, 'good', '/?wait=500')).status).toBe(200);
});

test('6: Stream alone takes effect: nothing is sent twice', async () => {
  let hits = 0;
  const breaking = createServer((incoming) => {
    hits++;
    incoming.socket.destroy();
  });
  const bad = { URL: `http://127.0.0.1:${await listening(breaking)}` };
  const twice = (Settings: object) => frontend('flaky', 'flaky', Settings);
  await write({
    'backends/flaky/backend': { Type: 'http' },
    'backends/flaky/servers/bad': bad,
    'frontends/flaky/frontend': twice({}),
  });
  await get(listen, 'flaky');
  expect(hits).toBe(2);
  await write({ 'frontends/flaky/frontend': twice({ Stream: true }) });
  hits = 0;
  await get(listen, 'flaky');
  expect(hits).toBe(1);
  await write({
    'frontends/flaky/frontend': null,
    'backends/flaky/backend': null,
    'backends/flaky/servers/bad': null,
  });
  breaking.close();
});

const MANY = Array.from({ length: 10_000 }, (_, n) => `X-H${n}`);
const middleware = (Type: string, Middleware: object) => ({ Id: 'm', Priority: 1, Type, Middleware });
const hook = (Action: object) => ({
  Condition: 'NetworkErrorRatio() > 0.5',
  Fallback: { Type: 'response', Action: { StatusCode: 503, Body: 'x' } },
  OnTripped: { Type: 'webhook', Action },
});
const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;

/** Path, value, and whether that object can be served (perhaps in part). */
test.each<[string, string, object | string, 'out' | 'served']>([
  [
    'a URL with a line end',
    'backends/good/servers/evil',
    { URL: 'http://127.0.0.1:1\n  server x 127.0.0.1:2' },
    'out',
  ],
  ['a URL of 500 kB', 'backends/good/servers/evil', { URL: `http://${'x'.repeat(500_000)}` }, 'out'],
  ['a URL on no address', 'backends/good/servers/evil', { URL: 'http://300.300.300.300:80' }, 'out'],
  ['a route of 100 kB', 'frontends/evil/frontend', frontend('good', 'x'.repeat(100_000)), 'out'],
  [
    'a map of 10,000 fields',
    'frontends/evil/frontend',
    { ...frontend('good', 'evil'), ...Object.fromEntries(MANY.map((n) => [n, n])) },
    'served',
  ],
  ['a value of 20,000 levels', 'frontends/evil/frontend', deep, 'out'],
  [
    'a host name with a directive behind',
    'frontends/evil/frontend',
    frontend('good', 'evil', { Hostname: "a'\n bind :1" }),
    'out',
  ],
  [
    '10,000 cipher suites',
    'backends/good/backend',
    {
      Type: 'http',
      Settings: { TLS: { CipherSuites: MANY.map((n) => n.toUpperCase().replaceAll('-', '_')) } },
    },
    'served',
  ],
  [
    'a time-out of 290 years',
    'backends/good/backend',
    { Type: 'http', Settings: { Timeouts: { Read: '2540400h', Dial: '2540400h' } } },
    'served',
  ],
  [
    'a body limit beyond 32 bits',
    'frontends/good/frontend',
    frontend('good', 'good', { Limits: { MaxBodyBytes: Number.MAX_SAFE_INTEGER } }),
    'served',
  ],
  [
    'a trace of 10,000 headers',
    'frontends/good/middlewares/m',
    middleware('trace', { Addr: 'syslog://127.0.0.1:9', ReqHeaders: MANY }),
    'served',
  ],
  [
    'a webhook with 10,000 headers',
    'frontends/good/middlewares/m',
    middleware(
      'cbreaker',
      hook({ URL: 'http://127.0.0.1:9', Headers: Object.fromEntries(MANY.map((n) => [n, ['1']])) }),
    ),
    'served',
  ],
  [
    'a fallback of 1 MB',
    'frontends/good/middlewares/m',
    middleware('cbreaker', {
      ...hook({ URL: 'http://127.0.0.1:9' }),
      Fallback: { Type: 'response', Action: { StatusCode: 503, Body: 'x'.repeat(1_000_000) } },
    }),
    'served',
  ],
  [
    'a rate beyond 32 bits',
    'frontends/good/middlewares/m',
    middleware('ratelimit', {
      PeriodSeconds: Number.MAX_SAFE_INTEGER,
      Requests: Number.MAX_SAFE_INTEGER,
      Burst: Number.MAX_SAFE_INTEGER,
      Variable: 'client.ip',
    }),
    'served',
  ],
  [
    'a rewrite of 4,000 groups',
    'frontends/good/middlewares/m',
    middleware('rewrite', { Regexp: '(a)'.repeat(4000), Replacement: 'b' }),
    'out',
  ],
  [
    'a listener with a directive behind',
    'listeners/evil',
    { Protocol: 'http', Address: { Network: 'tcp', Address: ':1\n  stats enable' } },
    'out',
  ],
  [
    'a key pair under another seal key',
    'hosts/evil.test/host',
    {
      Settings: {
        KeyPair: Buffer.from(sealKeyPair({ cert: 'c', key: 'k' }, 'cd'.repeat(32), randomBytes(24))).toString(
          'base64',
        ),
      },
    },
    'out',
  ],
])('hostile: %s; everything else is served', async (_, path, value, kind) => {
  const before = {
    'backends/good/backend': { Type: 'http' },
    'frontends/good/frontend': frontend('good', 'good'),
  };
  await write({ [path]: value });
  const { leftOut, failing, proxy } = await status();
  expect([failing, proxy.pid === null]).toEqual([null, false]);
  if (kind === 'served') expect(leftOut).toEqual([]);
  else
    expect(leftOut).toEqual([
      { object: expect.stringMatching(/evil|\bm\b/), message: expect.stringMatching(/^.{1,320}$/) },
    ]);
  expect((await get(listen, 'good')).status).toBe(200);
  expect((await get(listen, 'orphan')).status).toBe(200);
  await write({ 'frontends/witness/frontend': frontend('good', 'witness') });
  expect((await get(listen, 'witness')).status).toBe(200);
  await write({ [path]: null, 'frontends/witness/frontend': null, ...before });
  expect((await status()).leftOut).toEqual([]);
});

test('7: what is not live is said by the lists, by the status command and in the log', async () => {
  await write({ 'frontends/bad/frontend': { ...frontend('good', 'bad'), Route: 'Nonsense("x")' } });
  const run = (...args: string[]) => place.run(...args, '--endpoint', etcd.endpoint);
  expect((await run('frontend', 'ls')).stderr).toContain('/vulcand/frontends/bad/frontend');
  const shown = await run('gateway', 'status', '--json');
  expect(JSON.parse(shown.stdout)[0].leftOut).toMatchObject([{ object: expect.stringContaining('bad') }]);
  expect((await run('gateway', 'status')).stdout).toMatch(/bad/);
  expect(gateway.log()).toMatch(/left out: .*frontends\/bad/);
  await write({ 'frontends/bad/frontend': null });
});

test.each([
  ['refuses', async () => ({ endpoint: `http://127.0.0.1:${await freePort()}`, close: () => undefined })],
  [
    'accepts and never answers',
    async () => {
      const mute = createMute();
      const endpoint = `http://127.0.0.1:${await listening(mute)}`;
      return { endpoint, close: () => void mute.close() };
    },
  ],
])('an etcd that %s at the first start: it answers for itself, and SIGTERM ends it', async (_, away) => {
  const { endpoint, close } = await away();
  const ports = { listen: await freePort(), admin: await freePort() };
  const alone = start(`alone-${ports.admin}`, ports, { CLUSTER_ENDPOINT: endpoint });
  await eventually(
    'its own interface',
    async () => (await get(ports.admin, 'admin', '/v1/status')).status === 200,
    20_000,
  );
  await eventually('said', () => alone.log().includes('no state is saved here'), 20_000);
  expect((await status(ports.admin)).storeConnected).toBe(false);
  alone.child.kill('SIGTERM');
  expect(await Promise.race([alone.ended, sleep(15_000, 'still there')])).toBe(0);
  close();
});
