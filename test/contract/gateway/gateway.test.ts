import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatewayStatus } from '../../../src/lib/gateway/admin.ts';
import { runPaths } from '../../../src/lib/gateway/haproxy/process/files.ts';
import { Haproxy } from '../../../src/lib/gateway/haproxy/process/haproxy.ts';
import type { Top } from '../../../src/lib/gateway/top.ts';
import {
  GatewayRegistry,
  GatewaySettingsRegistry,
  TrafficRegistry,
} from '../../../src/lib/registry/index.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { type Running, runCli, startCli, type Workplace, workplace } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { eventually } from '../../support/eventually.ts';
import { freePort, listening } from '../../support/port.ts';
import { type Backend, backend, gatewayStatus, get, load, upgraded, writesOf } from './support.ts';

const MACHINE = 'feedfacefeedfacefeedfacefeedface';

let etcd: EtcdServer;
let store: Store;
let traffic: TrafficRegistry;
let place: Workplace;
let listen: number;
let admin: number;
let a: Backend;
let b: Backend;
let gateway: Running;

/** The real command, as a unit would run it, but for its paths and ports. */
function start(): Running {
  const args = ['gateway', '--listen', `127.0.0.1:${listen}`, '--admin', `127.0.0.1:${admin}`];
  args.push(
    '--run-dir',
    join(place.dir, 'run'),
    '--state-dir',
    join(place.dir, 'state'),
    '--machine',
    MACHINE,
  );
  const env = { ...place.env, PATH: `${process.env.PATH}:/usr/sbin`, CLUSTER_ENDPOINT: etcd.endpoint };
  return startCli(args, place.dir, env);
}

const status = (): Promise<GatewayStatus> => gatewayStatus(admin);
const haproxy = () => new Haproxy('haproxy', runPaths(join(place.dir, 'run')));
const record = async () => (await new GatewayRegistry(store, '/cluster').load()).gateways.get(MACHINE);

/** Puts values below vulcand's prefix in one transaction; null removes. @returns the revision. */
async function write(values: Record<string, object | string | null>): Promise<number> {
  return (await store.commit({ compare: [], writes: writesOf(traffic.prefix, values) })) ?? 0;
}

const served = async (revision: number): Promise<void> =>
  eventually(`revision ${revision} is announced`, async () => ((await record())?.revision ?? 0) >= revision);
const frontend = (BackendId: string, Route: string, Settings = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});
const url = ({ port }: Backend) => ({ URL: `http://127.0.0.1:${port}` });

beforeAll(async () => {
  [etcd, a, b, place] = [await startEtcd(), await backend('a'), await backend('b'), await workplace()];
  [listen, admin] = [await freePort(), await freePort()];
  store = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 3000 });
  traffic = new TrafficRegistry(store, '/vulcand');
  const revision = await write({
    'backends/A/backend': { Type: 'http' },
    'backends/B/backend': { Type: 'http' },
    'backends/A/servers/a@1': url(a),
    'backends/B/servers/b@1': url(b),
    'frontends/f/frontend': frontend('A', 'Host("x")'),
  });
  gateway = start();
  await served(revision);
});

afterAll(async () => {
  gateway.child.kill('SIGTERM');
  await gateway.ended;
  await store.close();
  await etcd.stop();
  a.close();
  b.close();
  await place.remove();
});

test('a switch under load: no failure, no reload, and the record says when it is live', async () => {
  const before = await status();
  const going = load(listen, 'x');
  const took: number[] = [];
  for (let turn = 0; turn < 20; turn++) {
    const to = turn % 2 === 0 ? 'B' : 'A';
    const started = performance.now();
    const revision = await write({ 'frontends/f/frontend': frontend(to, 'Host("x")') });
    await served(revision);
    took.push(performance.now() - started);
    expect((await get(listen, 'x')).body).toBe(to.toLowerCase());
    await sleep(40);
  }
  const { total, failed } = await going.end();
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(200);
  took.sort((x, y) => x - y);
  expect(took[10]).toBeLessThan(250);
  const { proxy: now, storeConnected, failing } = await status();
  expect([now.pid, now.reloads, storeConnected, failing]).toEqual([
    before.proxy.pid,
    before.proxy.reloads,
    true,
    null,
  ]);
});

test('one transaction is one change, a new frontend and server need no reload, a new backend reloads unnoticed', async () => {
  const before = (await status()).proxy.reloads;
  const going = load(listen, 'x');
  await served(
    await write({
      'backends/A/servers/a@2': url(b),
      'frontends/g/frontend': frontend('B', 'Host("g") && PathRegexp(".*")'),
    }),
  );
  expect((await get(listen, 'g', '/any')).body).toBe('b');
  expect((await status()).proxy.reloads).toBe(before);
  const { socket, heard } = upgraded(listen, 'g');
  await eventually('upgraded', () => heard().endsWith('b:'));
  await served(
    await write({
      'backends/C/backend': { Type: 'http' },
      'backends/C/servers/c': url(a),
      'frontends/h/frontend': frontend('C', 'Host("h") && Method("GET")'),
      'backends/A/servers/a@2': null,
    }),
  );
  expect((await get(listen, 'h')).body).toBe('a');
  expect((await status()).proxy.reloads).toBe(before + 1);
  expect((await going.end()).failed).toEqual([]);
  socket.write('still');
  await eventually('echoed', () => heard().endsWith('b:still'));
  socket.destroy();
});

test('broken and hostile values are left out and reported once; everything else goes on', async () => {
  const going = load(listen, 'x', 4);
  const revision = await write({
    'frontends/bad/frontend': frontend('A', 'Nonsense("x")'),
    'frontends/worse/frontend': '{not json',
    'backends/A/servers/evil': { URL: 'http://127.0.0.1:1\n  server injected 127.0.0.1:2' },
    'backends/E\nvil/backend': { Type: 'http' },
    'frontends/fine/frontend': frontend('B', 'Host("fine")'),
  });
  await served(revision);
  expect((await get(listen, 'fine')).body).toBe('b');
  const names = (await status()).leftOut.map(({ object }) => object).join('\n');
  for (const part of ['bad', 'worse', 'evil']) expect(names).toContain(part);
  await served(
    await write({
      'frontends/bad/frontend': null,
      'frontends/worse/frontend': null,
      'backends/A/servers/evil': null,
      'backends/E\nvil/backend': null,
    }),
  );
  expect((await status()).leftOut).toEqual([]);
  expect(gateway.log().split('worse').length).toBe(2);
  expect((await going.end()).failed).toEqual([]);
});

test('a listener whose address is taken is held back alone', async () => {
  const taken = { Protocol: 'http', Address: { Network: 'tcp', Address: `127.0.0.1:${a.port}` } };
  const own = { Protocol: 'http', Address: { Network: 'tcp', Address: `127.0.0.1:${listen}` } };
  await served(
    await write({
      'listeners/own': own,
      'listeners/taken': taken,
      'frontends/later/frontend': frontend('B', 'Host("later")'),
    }),
  );
  const { leftOut } = await status();
  expect(JSON.stringify(leftOut)).toContain('EADDRINUSE');
  await served(await write({ 'listeners/taken': null, 'listeners/own': null }));
  expect((await get(listen, 'later')).body).toBe('b');
  expect((await status()).leftOut).toEqual([]);
});

test('HAProxy killed: back within a second', async () => {
  const pid = (await status()).proxy.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  const killed = Date.now();
  await eventually('another HAProxy', async () => ![null, pid].includes((await status()).proxy.pid));
  await eventually('served', async () => (await get(listen, 'x')).status === 200);
  expect(Date.now() - killed).toBeLessThan(2000);
});

test('the gateway process killed: HAProxy goes on, and the next process takes it over', async () => {
  await served(await write({ 'frontends/f/frontend': frontend('A', 'Host("x")') }));
  const before = await haproxy().state();
  const going = load(listen, 'x');
  gateway.child.kill('SIGKILL');
  await gateway.ended;
  const revision = await write({ 'frontends/f/frontend': frontend('B', 'Host("x")') });
  expect((await get(listen, 'x')).body).toBe('a');
  gateway = start();
  await served(revision);
  expect((await get(listen, 'x')).body).toBe('b');
  expect(await haproxy().state()).toMatchObject({ pid: before?.pid, worker: { pid: before?.worker?.pid } });
  expect((await going.end()).failed).toEqual([]);
  expect(gateway.log()).toContain('took over');
});

test('a second gateway on the same machine is refused and harms nothing', async () => {
  const second = start();
  expect(await second.ended).toBe(1);
  expect(second.log()).toContain('listens on');
  expect((await get(listen, 'x')).status).toBe(200);
});

test('a circuit breaker trips on what HAProxy logs, gives its fallback, calls its webhook, and stands by again', async () => {
  const calls: string[] = [];
  const hooks = createServer((request, response) => {
    calls.push(`${request.method} ${request.url}`);
    response.end();
  });
  const port = await listening(hooks);
  const hook = (path: string) => ({
    Type: 'webhook',
    Action: { URL: `http://127.0.0.1:${port}/${path}`, Method: 'POST', Headers: {}, Form: { a: ['b'] } },
  });
  await served(
    await write({
      'frontends/breaking/frontend': frontend('A', 'Host("breaking")'),
      'frontends/breaking/middlewares/cb': {
        Id: 'cb',
        Priority: 1,
        Type: 'cbreaker',
        Middleware: {
          Condition: 'ResponseCodeRatio(500, 600, 0, 600) > 0.5',
          Fallback: { Type: 'response', Action: { StatusCode: 400, Body: 'come later' } },
          FallbackDuration: 400e6,
          RecoveryDuration: 300e6,
          CheckPeriod: 20e6,
          OnTripped: hook('tripped'),
          OnStandby: hook('standby'),
        },
      },
    }),
  );
  for (let n = 0; n < 5; n++) expect((await get(listen, 'breaking', '/?status=500')).status).toBe(500);
  await eventually('tripped', async () => (await get(listen, 'breaking')).status === 400);
  expect((await get(listen, 'breaking')).body).toBe('come later');
  expect((await status()).breakers).toEqual([{ frontend: 'breaking', middleware: 'cb', state: 'tripped' }]);
  expect((await get(listen, 'x')).status).toBe(200);
  await eventually('stands by', async () => (await status()).breakers[0]?.state === 'standby');
  await eventually('served again', async () => (await get(listen, 'breaking')).status === 200);
  await eventually('webhooks', () => calls.length === 2);
  expect(calls).toEqual(['POST /tripped', 'POST /standby']);
  hooks.close();
});

test('a trace sends each request as vulcand does', async () => {
  const syslog = createSocket('udp4');
  const lines: string[] = [];
  syslog.on('message', (line) => void lines.push(line.toString()));
  await new Promise<void>((resolve) => syslog.bind(0, '127.0.0.1', resolve));
  await served(
    await write({
      'frontends/traced/frontend': frontend('A', 'Host("traced")'),
      'frontends/traced/middlewares/t': {
        Id: 't',
        Priority: 1,
        Type: 'trace',
        Middleware: {
          ReqHeaders: ['Host', 'X-None'],
          RespHeaders: ['Content-Length'],
          Addr: `syslog://127.0.0.1:${syslog.address().port}?f=MAIL&sev=ERR`,
        },
      },
    }),
  );
  await get(listen, 'traced', '/p?q="1');
  await eventually('traced', () => lines.length > 0);
  expect(lines[0]).toMatch(/^<19>/);
  expect(JSON.parse(lines[0]?.replace(/^.*@cee: /, '') ?? '')).toMatchObject({
    request: { method: 'GET', url: '/p?q="1', headers: { Host: ['traced'] } },
    response: { code: 200, headers: { 'Content-Length': ['1'] } },
  });
  syslog.close();
});

test('statistics: top, Prometheus, the commands, and the log severity at run time', async () => {
  for (let n = 0; n < 10; n++) await get(listen, 'x');
  const top: Top = JSON.parse((await get(admin, 'admin', '/v1/top')).body);
  expect(top.frontends.find(({ id }) => id === 'f')).toMatchObject({ backend: 'B', serverErrors: 0 });
  expect(top.frontends.find(({ id }) => id === 'f')?.requests).toBeGreaterThanOrEqual(10);
  expect(top.servers.find(({ id }) => id === 'b@1')).toMatchObject({ backend: 'B', networkErrors: 0 });
  expect((await get(admin, 'admin', '/metrics')).body).toMatch(
    /cluster_server_requests_total\{backend="B",server="b@1"\} [1-9]/,
  );
  const env = { ...place.env, CLUSTER_ENDPOINT: etcd.endpoint };
  const shown = await runCli(['gateway', 'status'], place.dir, env);
  expect(shown).toMatchObject({ code: 0, stderr: '' });
  expect(shown.stdout).toMatch(/feedface\.\.\. .*serving/);
  const ranked = await runCli(['gateway', 'top', '--json'], place.dir, env);
  expect(JSON.parse(ranked.stdout).frontends.length).toBeGreaterThan(3);
  const other = { ...(await record()), machine: 'deadbeef'.repeat(4), hostname: 'elsewhere' };
  const away = `/cluster/gateways/${other.machine}`;
  await store.commit({ compare: [], writes: [{ put: away, value: JSON.stringify(other) }] });
  const both = await runCli(['gateway', 'status'], place.dir, env);
  expect(both.code).toBe(4);
  expect(both.stdout).toMatch(/deadbeef\.\.\. .*unreachable[\s\S]*feedface\.\.\. .*serving/);
  expect(both.stderr).toContain('no machine deadbeef is registered');
  await store.commit({ compare: [], writes: [{ remove: away }] });
  const settings = new GatewaySettingsRegistry(store, '/cluster');
  await settings.set(await settings.load(), { v: 1, severity: 'debug' });
  await eventually('debug', async () => (await status()).severity === 'debug');
});

test('etcd away: serving goes on, also after a restart without it; changes come when it is back', async () => {
  await etcd.kill();
  expect((await get(listen, 'x')).body).toBe('b');
  gateway.child.kill('SIGTERM');
  expect(await gateway.ended).toBe(0);
  await eventually('HAProxy ended', async () => (await haproxy().state()) === null);
  gateway = start();
  await eventually('served from disk', async () => (await get(listen, 'x')).body === 'b', 8000);
  expect((await status()).storeConnected).toBe(false);
  await etcd.start();
  let revision = 0;
  await eventually('written', async () => {
    revision = await write({ 'frontends/f/frontend': frontend('A', 'Host("x")') }).catch(() => 0);
    return revision > 0;
  });
  await eventually('served', async () => (await get(listen, 'x')).body === 'a', 8000);
  await served(revision);
});
