import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { writeImages } from '../../examples/demo-application/image.mjs';
import { type LabMachine, labSshArgs } from '../../src/lib/lab/real/index.ts';
import { quote } from '../../src/lib/shell-words.ts';
import { openEtcd } from '../../src/lib/store/etcd.ts';
import type { Store } from '../../src/lib/store/port.ts';
import { type Running, type Workplace, workplace } from '../support/cli.ts';
import { type EtcdServer, startEtcd } from '../support/etcd-server.ts';
import { machinesOf, real, why } from '../support/real.ts';

const LAB = 'registrator';
const NAME = 'demo-application-v0.2.0';
const ID = `${NAME}@1`;
const SERVER = `/vulcand/backends/${NAME}/servers/${ID}`;

let etcd: EtcdServer;
let store: Store;
let at: Workplace;
let machine: LabMachine;
let tunnel: ChildProcess | undefined;
let socket: string;
let running: Running | undefined;

const on = async (...command: string[]): Promise<string> =>
  (await at.ok('ssh', machine.name, '--', quote(command))).stdout.trim();

/** `docker run` as the talk's unit does it. */
const run = (name = NAME): Promise<string> => {
  const env = {
    SERVICE_ID: ID,
    SERVICE_NAME: NAME,
    SERVICE_FRONTEND_HOST_LOAD_BALANCER: `${NAME}.example.test`,
    SERVICE_FRONTEND_HOST_CONTAINER: `instance-1.${NAME}.example.test`,
    SERVICE_CHECK_HTTP: '/health',
    SERVICE_CHECK_INTERVAL: '3s',
  };
  const variables = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  return on('docker', 'run', '-d', '--rm', '--name', name, ...variables, '-P', 'demo-application:0.2.0');
};

function start(): void {
  running = at.start('registrator', '--docker', `unix://${socket}`, '--machine', machine.id);
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const one = running;
  running = undefined;
  one?.child.kill(signal);
  await one?.ended;
}

async function url(): Promise<string | null> {
  const entry = await store.get(SERVER);
  return entry === null ? null : (JSON.parse(entry.value) as { URL: string }).URL;
}
const poll = <T>(get: () => T, timeout: number) => expect.poll(get, { timeout, interval: 20 });
const announced = async (timeout = 10_000): Promise<string> => {
  await poll(url, timeout).not.toBeNull();
  return (await url()) ?? '';
};
const setHealth = (to: string, health: boolean): Promise<Response> =>
  fetch(`${to}/api/health`, { method: 'POST', body: JSON.stringify({ health }) });

beforeAll(async () => {
  if (why !== null) return;
  etcd = await startEtcd();
  store = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 2000 });
  at = await workplace({ CLUSTER_ENDPOINT: etcd.endpoint });
  await at.ok('lab', 'up', '--machines', '1', '--docker', '--name', LAB, '--json');
  machine = (await machinesOf(at, LAB))[0] as LabMachine;
  const images = join(at.dir, 'images.tar');
  await writeImages(images, ['0.2.0']);
  const load = spawn('ssh', [...labSshArgs(machine), 'docker', 'load'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  await Promise.all([pipeline(createReadStream(images), load.stdin), once(load, 'exit')]);
  socket = join(at.dir, 'docker.sock');
  tunnel = spawn('ssh', ['-nNT', '-L', `${socket}:/var/run/docker.sock`, ...labSshArgs(machine)], {
    stdio: 'ignore',
  });
  for (let tries = 0; !existsSync(socket) && tries < 100; tries++) await sleep(100);
}, 600_000);

afterAll(async () => {
  if (why !== null) return;
  await end('SIGKILL');
  tunnel?.kill();
  await at.run('lab', 'down', '--name', LAB);
  await store.close();
  await etcd.stop();
  await at.remove();
}, 120_000);

real('a container is announced as soon as it answers, at the address of its machine', async () => {
  start();
  await run();
  const to = await announced();
  const port = /0\.0\.0\.0:(\d+)/.exec(await on('docker', 'port', NAME, '8080/tcp'))?.[1];
  expect(to).toBe(`http://${machine.address}:${port}`);
  expect((await fetch(to)).headers.get('x-version')).toBe('0.2.0');
});

real('a sick one is out, and a well one back, 3.5 s after the first answer at the latest', async () => {
  const to = await announced();
  for (const [health, code] of [
    [false, 500],
    [true, 200],
  ] as const) {
    await setHealth(to, health);
    const from = performance.now();
    await poll(async () => (await url()) !== null, 10_000).toBe(health);
    expect(performance.now() - from).toBeLessThan(3500);
    expect(running?.log()).toContain(`Health check ${ID} (${to}/health) result HTTP code ${code}\n`);
  }
});

real('HUP changes nothing; a stop takes it out while it still finishes what runs', async () => {
  const to = await announced();
  await on('docker', 'kill', '-s', 'HUP', NAME);
  await sleep(500);
  expect(await url()).toBe(to);
  const slow = fetch(`${to}/slow?ms=4000`);
  await sleep(200);
  const stopped = on('docker', 'stop', NAME);
  await poll(url, 3000).toBeNull();
  const before = performance.now();
  expect((await slow).status).toBe(200);
  expect(performance.now() - before).toBeGreaterThan(500);
  await stopped;
  const left = (await store.range('/vulcand/')).entries.map(({ key }) => key);
  expect(left).toEqual([`/vulcand/backends/${NAME}/backend`, `/vulcand/frontends/${NAME}/frontend`]);
});

real('a killed container goes at once', async () => {
  await run();
  await announced();
  await on('docker', 'kill', NAME);
  await poll(url, 2000).toBeNull();
});

real('a killed registrator that starts again takes no key away', async () => {
  await run();
  const to = await announced();
  const { revision } = await store.range('/vulcand/');
  await end('SIGKILL');
  await sleep(1000);
  start();
  const lease = (await store.get(SERVER))?.lease;
  await poll(async () => (await store.get(SERVER))?.lease, 10_000).not.toBe(lease);
  expect(await url()).toBe(to);
  const removed: string[] = [];
  for await (const event of store.watch('/vulcand/', revision, AbortSignal.timeout(500)))
    if (event.type === 'remove') removed.push(event.key);
  expect(removed).toEqual([]);
});

real('Docker stopped: its containers are out; Docker back: what runs then is announced', async () => {
  await announced();
  await on('systemctl', 'stop', 'docker.socket', 'docker.service');
  await poll(url, 15_000).toBeNull();
  await on('systemctl', 'start', 'docker.socket', 'docker.service');
  await run('another-name');
  const to = await announced(20_000);
  expect((await fetch(to)).status).toBe(200);
  expect(running?.log()).toContain('Docker is away');
});

real('a script check runs in the container', async () => {
  const script = [
    '-e',
    "SERVICE_CHECK_SCRIPT=/usr/bin/node -e 'process.exit(3)'",
    '-e',
    'SERVICE_CHECK_INTERVAL=1s',
  ];
  const host = ['-e', 'SERVICE_NAME=script', '-e', 'SERVICE_FRONTEND_HOST_LOAD_BALANCER=script.example.test'];
  await on(
    'docker',
    'run',
    '-d',
    '--rm',
    '--name',
    'script',
    ...script,
    ...host,
    '-P',
    'demo-application:0.2.0',
  );
  await poll(() => running?.log() ?? '', 10_000).toMatch(
    /Health check .*:script:8080 .* result exit code \d+\n/,
  );
  expect((await store.range('/vulcand/backends/script/servers/')).entries).toEqual([]);
});
