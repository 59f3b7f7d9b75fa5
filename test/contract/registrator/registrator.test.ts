import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import {
  type RegistratorOptions,
  registratorOptions,
  runRegistrator,
} from '../../../src/lib/discovery/index.ts';
import { Reporter, textLine } from '../../../src/lib/keep/index.ts';
import { openEmbedded } from '../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../src/lib/store/etcd.ts';
import type { Store } from '../../../src/lib/store/port.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts';
import { listening } from '../../support/port.ts';
import type { Described } from '../../unit/discovery/support.ts';
import { FakeDocker } from './fake-docker.ts';

const NAME = 'demo-application-v0.2.0';
const ONE = `${NAME}@1`;
const SERVER = `/vulcand/backends/${NAME}/servers/${ONE}`;
const M1 = '1'.repeat(32);
const M2 = '2'.repeat(32);

let etcd: EtcdServer;
let store: Store;
let docker: FakeDocker;
const ends: (() => Promise<void>)[] = [];
let lines: string[] = [];
let problems: string[] = [];

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());
beforeEach(async () => {
  etcd.etcdctl('del', '--prefix', '');
  store = await open();
  docker = new FakeDocker();
  await docker.start();
  lines = [];
  problems = [];
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  await docker.stop();
  await store.close();
});

const open = (): Promise<Store> => openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 2000 });

/** A server that can be made sick; what stands in a container of the talk. */
async function application(): Promise<{ port: number; code: number; asked: number; server: Server }> {
  const server = createServer((request, response) => {
    app.asked++;
    response.writeHead(request.url === '/health' ? app.code : 200).end('body');
  });
  const app = { port: await listening(server), code: 200, asked: 0, server };
  ends.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return app;
}

/** As slide 13's unit starts it. */
function demo(port: number, instance = 1, env: Record<string, string> = {}, more: Described = {}): Described {
  return {
    name: NAME,
    ports: { 8080: port },
    env: {
      SERVICE_ID: `${NAME}@${instance}`,
      SERVICE_NAME: NAME,
      SERVICE_FRONTEND_HOST_LOAD_BALANCER: `${NAME}.example.test`,
      SERVICE_FRONTEND_HOST_CONTAINER: `instance-${instance}.${NAME}.example.test`,
      ...env,
    },
    ...more,
  };
}
const CHECKED = { SERVICE_CHECK_HTTP: '/health', SERVICE_CHECK_INTERVAL: '200ms' };

/** Runs one until the test ends, or until the function that is returned is called. */
async function registrator(of: Partial<RegistratorOptions> = {}, on = docker): Promise<() => Promise<void>> {
  const flags = { ip: '127.0.0.1', internal: false, ttl: 11, ttlRefresh: 5, resync: 0, grace: 60 };
  const more = { deregister: 'always', explicit: false, tags: '', docker: on.address, machine: M1 };
  const own = await open();
  const options = {
    ...(await registratorOptions({ ...flags, ...more })),
    store: own,
    prefix: '/cluster',
    trafficPrefix: '/vulcand',
    report: new Reporter(
      'info',
      (line, severity) => {
        (severity === 'info' ? lines : problems).push(line);
      },
      textLine,
    ),
    ...of,
  };
  const over = new AbortController();
  const running = runRegistrator(options, over.signal);
  // Told by whoever ends it.
  running.catch(() => undefined);
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ended ??= (async () => {
      over.abort();
      await running.finally(() => own.close());
    })();
    return ended;
  };
  ends.push(() => end().catch(() => undefined));
  return end;
}

async function keys(): Promise<string[]> {
  const [traffic, presence] = [await store.range('/vulcand/'), await store.range('/cluster/services/')];
  return [...traffic.entries, ...presence.entries].map(({ key }) => key);
}
const value = async (key: string): Promise<unknown> => JSON.parse((await store.get(key))?.value ?? 'null');
const lease = async (key: string): Promise<string | null> => (await store.get(key))?.lease ?? null;
const poll = <T>(get: () => T, timeout = 5000) => expect.poll(get, { timeout, interval: 10 });
const servers = async (): Promise<string[]> =>
  (await store.range(`/vulcand/backends/${NAME}/servers/`)).entries.map(
    ({ key }) => key.split('/').at(-1) ?? '',
  );

test('announces what slides 10 to 12 show', async () => {
  const app = await application();
  docker.run('c1', demo(app.port));
  await registrator();
  await poll(servers).toEqual([ONE]);
  const route = (host: string): string => `Host("${host}.example.test") && PathRegexp(".*")`;
  const url = `http://127.0.0.1:${app.port}`;
  expect(await value(SERVER)).toEqual({ Id: ONE, URL: url });
  expect(await value(`/vulcand/frontends/${NAME}/frontend`)).toMatchObject({
    Id: NAME,
    Type: 'http',
    BackendId: NAME,
    Route: route(NAME),
  });
  expect(await value(`/vulcand/frontends/${ONE}/frontend`)).toMatchObject({
    BackendId: ONE,
    Route: route(`instance-1.${NAME}`),
  });
  expect(await value(`/vulcand/backends/${ONE}/servers/${ONE}`)).toMatchObject({ URL: url });
  const leased = await lease(SERVER);
  expect(leased).not.toBeNull();
  for (const key of await keys()) {
    const shared =
      key === `/vulcand/backends/${NAME}/backend` || key === `/vulcand/frontends/${NAME}/frontend`;
    expect(await lease(key), key).toBe(shared ? null : leased);
  }
  expect(lines).toContain(`Announced ${ONE} (${url}) in backend ${NAME}`);
});

test('a container of no service leaves no trace', async () => {
  docker.run('c1', { ports: { 80: 8080 } });
  docker.run('c2', demo(1, 1, { SERVICE_IGNORE: 'true' }));
  await registrator();
  docker.run('c3', { name: 'other', ports: { 80: 8081 }, env: { SERVICE_NAME: 'other' } });
  await sleep(300);
  expect(await keys()).toEqual([]);
});

test('no traffic before the first good answer; out and in within an interval; one line for each change', async () => {
  const app = await application();
  app.code = 500;
  docker.run('c1', demo(app.port, 1, { ...CHECKED, SERVICE_CHECK_INTERVAL: '300ms' }));
  await registrator();
  await poll(() => lines.filter((line) => line.startsWith('Health')).length).toBe(1);
  expect(await servers()).toEqual([]);
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
  app.code = 200;
  await poll(servers, 800).toEqual([ONE]);
  app.code = 500;
  await poll(servers, 800).toEqual([]);
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
  expect(await keys()).toContain(`/vulcand/backends/${ONE}/servers/${ONE}`);
  const at = `Health check ${ONE} (http://127.0.0.1:${app.port}/health) result HTTP code`;
  expect(lines.filter((line) => line.startsWith('Health'))).toEqual([`${at} 500`, `${at} 200`, `${at} 500`]);
});

test('HUP is a reload; the stop signal takes out at once, before the container is gone', async () => {
  const app = await application();
  docker.run('c1', demo(app.port));
  docker.run('c2', demo(app.port, 2, {}, { config: { StopSignal: 'SIGQUIT' } }));
  await registrator();
  await poll(servers).toHaveLength(2);
  docker.tell('c1', 'kill', { signal: '1' });
  docker.tell('c2', 'kill', { signal: '15' });
  await sleep(200);
  expect(await servers()).toHaveLength(2);
  docker.tell('c1', 'kill', { signal: '15' });
  docker.tell('c2', 'kill', { signal: '3' });
  await poll(servers, 1000).toEqual([]);
  // The same container again, on the same port.
  docker.run('c1', demo(app.port, 1, {}, { state: { StartedAt: '2026-02-02T00:00:00Z' } }));
  await poll(servers, 1000).toEqual([ONE]);
});

test('pause, unpause and rename are followed', async () => {
  const unnamed = (name: string, state = {}): Described => demo(1234, 1, { SERVICE_ID: '' }, { name, state });
  docker.run('c1', unnamed('first'));
  await registrator();
  await poll(servers).toEqual([`${hostname()}:first:8080`]);
  docker.tell('c1', 'pause');
  await poll(servers).toEqual([]);
  docker.tell('c1', 'unpause');
  await poll(servers).toEqual([`${hostname()}:first:8080`]);
  docker.containers.set('c1', { ...unnamed('second'), id: 'c1' });
  docker.tell('c1', 'rename');
  await poll(servers).toEqual([`${hostname()}:second:8080`]);
});

test('what ended by itself with an error stays for the ttl with --deregister on-success', async () => {
  docker.run('c1', demo(1234));
  docker.run('c2', demo(1235, 2));
  await registrator({ deregister: 'on-success', ttlSeconds: 3, refreshSeconds: 1 });
  await poll(servers).toHaveLength(2);
  docker.tell('c1', 'die', { exitCode: '1' });
  docker.tell('c2', 'die', { exitCode: '0' });
  docker.containers.clear();
  await poll(servers).toEqual([ONE]);
  await poll(servers, 6000).toEqual([]);
});

test('a restart of the registrator takes no key away; what is gone meanwhile goes', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  docker.run('c2', demo(app.port, 2));
  const end = await registrator();
  await poll(servers).toHaveLength(2);
  const before = await lease(SERVER);
  const values = await value(SERVER);
  const { revision } = await store.range('/vulcand/');
  await end();
  docker.containers.delete('c2');
  expect(await servers()).toHaveLength(2);
  await registrator();
  await poll(servers).toEqual([ONE]);
  await poll(() => lease(SERVER)).not.toBe(before);
  expect(await value(SERVER)).toEqual(values);
  const over = new AbortController();
  const removed: string[] = [];
  setTimeout(() => over.abort(), 300);
  for await (const event of store.watch('/vulcand/', revision, over.signal))
    if (event.type === 'remove') removed.push(event.key);
  expect(
    removed.every((key) => key.includes(`${NAME}@2`)),
    removed.join(' '),
  ).toBe(true);
});

test('nothing is written while nothing changes', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator({ ttlSeconds: 2, refreshSeconds: 1, resyncMs: 300 });
  await poll(servers).toEqual([ONE]);
  const { revision } = await store.range('/');
  await sleep(3000);
  expect((await store.range('/')).revision).toBe(revision);
  expect(await servers()).toEqual([ONE]);
});

test('a dead registrator: servers go with the lease, another removes the shared objects after the grace time', async () => {
  docker.run('c1', demo(1234));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  await registrator({ machine: M2, graceMs: 700 }, other);
  const end = await registrator({ ttlSeconds: 2, refreshSeconds: 1 });
  await poll(servers).toEqual([ONE]);
  await end();
  await poll(servers, 8000).toEqual([]);
  expect(await keys()).toEqual([`/vulcand/backends/${NAME}/backend`, `/vulcand/frontends/${NAME}/frontend`]);
  await poll(keys, 5000).toEqual([]);
});

test('the shared objects stay while another machine has an instance', async () => {
  docker.run('c1', demo(1234));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  other.run('c2', demo(1235, 2));
  await registrator({ graceMs: 100 });
  await registrator({ machine: M2, graceMs: 100 }, other);
  await poll(servers).toHaveLength(2);
  docker.gone('c1');
  await poll(servers).toEqual([`${NAME}@2`]);
  await sleep(500);
  expect(await keys()).toContain(`/vulcand/frontends/${NAME}/frontend`);
});

test('the same id on two machines: the later start is announced, and nobody fights', async () => {
  docker.run('c1', demo(1111, 1, {}, { state: { StartedAt: '2026-01-01T00:00:00Z' } }));
  const other = new FakeDocker();
  await other.start();
  ends.push(() => other.stop());
  await registrator();
  await poll(servers).toEqual([ONE]);
  await registrator({ machine: M2 }, other);
  other.run('c2', demo(2222, 1, {}, { state: { StartedAt: '2026-01-02T00:00:00Z' } }));
  await poll(() => value(SERVER)).toMatchObject({ URL: 'http://127.0.0.1:2222' });
  await sleep(300);
  const { revision } = await store.range('/vulcand/');
  await sleep(500);
  expect((await store.range('/vulcand/')).revision).toBe(revision);
  other.gone('c2');
  await poll(() => value(SERVER)).toMatchObject({ URL: 'http://127.0.0.1:1111' });
});

test("an operator's own frontend stays, and broken values of others do no harm", async () => {
  const own = JSON.stringify({ Type: 'http', BackendId: 'mine', Route: 'Path("/")' });
  const puts = {
    [`/vulcand/frontends/${NAME}/frontend`]: own,
    '/vulcand/frontends/broken/frontend': '{',
    '/vulcand/backends/odd': 'null',
    '/cluster/services/odd': '[]',
    '/cluster/services/a/b/c': '{"v":2}',
  };
  for (const [key, text] of Object.entries(puts)) etcd.etcdctl('put', key, text);
  docker.run('c0', {
    name: 'bad',
    ports: { 80: 1 },
    env: { SERVICE_FRONTEND_HOST_CONTAINER: '") || Path("/' },
  });
  docker.run('c1', demo(1234));
  await registrator({ graceMs: 50 });
  await poll(servers).toEqual([ONE]);
  await sleep(200);
  for (const [key, text] of Object.entries(puts)) expect((await store.get(key))?.value.trim()).toBe(text);
  expect(problems.join('\n')).toContain(`frontend ${NAME} is somebody else's`);
  expect(problems.join('\n')).toContain('is not a host name');
});

test('the store away: checks go on, and it catches up, also under a new lease', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator({ ttlSeconds: 2, refreshSeconds: 1 });
  await poll(servers).toEqual([ONE]);
  const before = await lease(SERVER);
  await etcd.kill();
  app.code = 500;
  await poll(() => lines.at(-1)).toContain('result HTTP code 500');
  docker.run('c2', demo(app.port, 2));
  await sleep(500);
  await etcd.start();
  await poll(servers, 10_000).toEqual([`${NAME}@2`]);
  app.code = 200;
  await poll(servers, 5000).toHaveLength(2);
  etcd.etcdctl('lease', 'revoke', BigInt((await lease(SERVER)) ?? 0).toString(16));
  await poll(servers, 5000).toHaveLength(2);
  expect(await lease(SERVER)).not.toBe(before);
  expect(problems.filter((line) => line.startsWith('the store is away'))).not.toEqual([]);
  expect(lines.filter((line) => line === 'the store is back')).toHaveLength(1);
});

test('Docker away: what does not answer goes, the rest stays; afterwards all is looked at anew', async () => {
  const [stays, dies] = [await application(), await application()];
  docker.run('c1', demo(stays.port));
  docker.run('c2', demo(dies.port, 2));
  await registrator();
  await poll(servers).toHaveLength(2);
  await docker.stop();
  dies.server.close();
  dies.server.closeAllConnections();
  await poll(servers, 3000).toEqual([ONE]);
  docker.containers.delete('c1');
  docker.containers.set('c3', { ...demo(stays.port, 3), id: 'c3' });
  await docker.start();
  await poll(async () => (await servers()).includes(ONE), 3000).toBe(false);
  await poll(servers).toContain(`${NAME}@3`);
  // The broken stream, and then the socket that is gone: once each at most, and one line for the end of it.
  const away = problems.filter((line) => line.startsWith('Docker is away'));
  expect([1, 2]).toContain(away.length);
  expect(new Set(away).size).toBe(away.length);
  expect(lines.filter((line) => line === 'Docker is back')).toHaveLength(1);
  docker.run('c4', demo(stays.port, 4));
  await poll(servers).toContain(`${NAME}@4`);
});

test('it may start before Docker', async () => {
  await docker.stop();
  await registrator();
  await sleep(300);
  docker.containers.set('c1', { ...demo(1234), id: 'c1' });
  await docker.start();
  await poll(servers, 3000).toEqual([ONE]);
});

test("Docker's own HEALTHCHECK counts where no SERVICE_CHECK is given", async () => {
  const health = (Status: string): Described => ({
    ...demo(1234, 1, {}, { state: { Health: { Status } } }),
    id: 'c1',
  });
  docker.run('c1', health('starting'));
  await registrator();
  await poll(keys).toContain(`/vulcand/frontends/${ONE}/frontend`);
  expect(await servers()).toEqual([]);
  for (const [status, expected] of [
    ['healthy', [ONE]],
    ['unhealthy', []],
    ['healthy', [ONE]],
  ] as const) {
    docker.containers.set('c1', health(status));
    docker.tell('c1', `health_status: ${status}`);
    await poll(servers).toEqual(expected);
  }
});

test('TCP and script checks', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, { SERVICE_CHECK_TCP: 'true', SERVICE_CHECK_INTERVAL: '200ms' }));
  docker.run(
    'c2',
    demo(app.port, 2, { SERVICE_CHECK_SCRIPT: 'test -e /ok', SERVICE_CHECK_INTERVAL: '200ms' }),
  );
  await registrator();
  await poll(servers).toHaveLength(2);
  expect(docker.commands[0]).toBe('test -e /ok');
  docker.exitCode = 1;
  await poll(servers, 1000).toEqual([ONE]);
  expect(lines).toContain(`Health check ${NAME}@2 (test -e /ok) result exit code 1`);
  app.server.close();
  app.server.closeAllConnections();
  await poll(servers, 1000).toEqual([]);
  // Reset where the port closes while it is being asked, no answer where this computer is busy.
  const said = new RegExp(
    `^Health check ${ONE} \\(tcp://127.0.0.1:${app.port}\\) result (connection refused|connection reset|no answer .*)$`,
  );
  expect(lines).toContainEqual(expect.stringMatching(said));
});

test('an answer that never ends counts as none', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  await registrator();
  await poll(servers).toEqual([ONE]);
  app.server.removeAllListeners('request');
  await poll(servers, 1000).toEqual([]);
  expect(lines.join('\n')).toContain('result no answer within 200ms');
});

test('a second registrator on one machine takes over, and the first ends with an error', async () => {
  docker.run('c1', demo(1234));
  const first = await registrator();
  await poll(servers).toEqual([ONE]);
  await registrator();
  await sleep(500);
  await expect(first()).rejects.toMatchObject({ code: 'registrator-displaced' });
  expect(await servers()).toEqual([ONE]);
});

test('two hundred containers at once', async () => {
  for (let n = 1; n <= 200; n++) docker.containers.set(`c${n}`, { ...demo(10_000 + n, n), id: `c${n}` });
  await registrator();
  await poll(async () => (await servers()).length, 10_000).toBe(200);
  docker.containers.clear();
  for (let n = 1; n <= 200; n++) docker.tell(`c${n}`, 'die', { exitCode: '0' });
  await poll(async () => (await keys()).length, 10_000).toBe(2);
});

/** A server in a process of its own that says how often it was asked. */
async function hollowServer(): Promise<{ port: number; asked: () => Promise<number> }> {
  const code = `let n = 0; require('http').createServer((q, r) => r.end(q.url === '/n' ? String(n) : (n++, 'ok')))
    .listen(0, '127.0.0.1', function () { console.log(this.address().port) })`;
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  ends.push(async () => void child.kill());
  const port = Number(await new Promise((resolve) => child.stdout.once('data', resolve)));
  return { port, asked: async () => Number(await (await fetch(`http://127.0.0.1:${port}/n`)).text()) };
}

test('2,000 checks of one process keep their pace', async () => {
  const { port, asked } = await hollowServer();
  const checked = { SERVICE_CHECK_HTTP: '/health', SERVICE_CHECK_INTERVAL: '4s' };
  for (let n = 1; n <= 2000; n++) docker.containers.set(`c${n}`, { ...demo(port, n, checked), id: `c${n}` });
  await registrator();
  const count = async (): Promise<number> => (await servers()).length;
  await expect.poll(count, { timeout: 30_000, interval: 500 }).toBe(2000);
  const [from, started] = [await asked(), performance.now()];
  await sleep(8000);
  const pace = ((await asked()) - from) / ((2000 * (performance.now() - started)) / 4000);
  expect(pace).toBeGreaterThan(0.8);
  expect(pace).toBeLessThan(1.2);
  expect(await count()).toBe(2000);
});

test('the embedded store serves as well, for a single server', async () => {
  const app = await application();
  docker.run('c1', demo(app.port, 1, CHECKED));
  const directory = await mkdtemp(join(tmpdir(), 'cluster-registrator-'));
  const own = await openEmbedded(directory);
  const end = await registrator({ store: own });
  const there = async (): Promise<boolean> => (await own.get(SERVER)) !== null;
  await poll(there).toBe(true);
  app.code = 500;
  await poll(there).toBe(false);
  app.code = 200;
  await poll(there).toBe(true);
  await end();
  await own.close();
  await rm(directory, { recursive: true });
});

test('the command: an address is never guessed, and SIGTERM leaves all as it is', async () => {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', CLUSTER_ENDPOINT: etcd.endpoint };
  const args = ['registrator', '--docker', docker.address, '--machine', M1];
  const refused = await runCli(args, '/', env);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('is not registered');
  expect(refused.stderr).toContain('--ip');
  const bad = await runCli([...args, '--ip', '127.0.0.1', '--ttl', '5'], '/', env);
  expect(bad.stderr).toContain('--ttl 5 is not greater than --ttl-refresh 5');
  for (const ip of ['999.1.1.1', 'a b', 'h/x', 'h:80'])
    expect((await runCli([...args, '--ip', ip], '/', env)).stderr).toContain(
      `--ip "${ip}" is not an address`,
    );
  const record = {
    v: 1,
    id: M1,
    target: { address: '10.1.2.3', port: 22, user: 'root' },
    facts: {},
    metadata: {},
  };
  etcd.etcdctl('put', `/cluster/machines/${M1}`, JSON.stringify(record));
  docker.run('c1', demo(1234));
  const { child, log, ended } = startCli(args, '/', env);
  await poll(() => value(SERVER), 10_000).toMatchObject({ URL: 'http://10.1.2.3:1234' });
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  expect(await servers()).toEqual([ONE]);
  expect(log()).toContain(`Announced ${ONE} (http://10.1.2.3:1234)`);
});
