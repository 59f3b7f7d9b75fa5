import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { registratorOptions, runRegistrator } from '../../src/lib/discovery/index.ts';
import { Reporter } from '../../src/lib/keep/index.ts';
import { type HollowLab, hollowUp } from '../../src/lib/lab/hollow/lab.ts';
import type { HollowMachine } from '../../src/lib/lab/hollow/machine.ts';
import { openEtcd } from '../../src/lib/store/etcd.ts';
import { etcd, listen, store, withGateway } from '../contract/gateway/support/gateway.ts';
import { get, load } from '../contract/gateway/support/process.ts';
import { FakeDocker } from '../contract/registrator/support/fake-docker.ts';
import type { Workplace } from '../support/cli.ts';
import { eventually } from '../support/eventually.ts';
import { workplaceWith } from '../support/hollow.ts';
import { listening } from '../support/port.ts';

withGateway();

const HOST = 'shop.example.test';
const ALL = 'web@<1..3>.service';
/** Requests for /long that are not answered yet. */
const held: { readonly unit: string; readonly response: ServerResponse }[] = [];
/** How long the application takes to answer. */
const ANSWER_MS = 40;

/**
 * Not Docker: whenever a simulated unit runs, a real HTTP server runs and the fake Docker says so; when the unit stops, the server
 * breaks off what it is doing.
 */
class FakeContainers {
  readonly docker = new FakeDocker();
  readonly #apps = new Map<string, { readonly id: string; readonly server: Server }>();
  readonly #machine: HollowMachine;
  readonly #unlisten: () => void;
  #started = 0;
  #working = Promise.resolve();

  constructor(machine: HollowMachine) {
    this.#machine = machine;
    this.#unlisten = machine.systemd.listen((signal) => {
      if (signal.kind !== 'changed' || !signal.unit.name.startsWith('web@')) return;
      const { name, active } = signal.unit;
      this.#working = this.#working.then(() => this.#follow(name, active === 'active'));
    });
  }

  async #follow(unit: string, runs: boolean): Promise<void> {
    const app = this.#apps.get(unit);
    if (runs === (app !== undefined)) return;
    if (app === undefined) return this.#start(unit);
    this.#apps.delete(unit);
    this.docker.tell(app.id, 'kill', { signal: '15' });
    app.server.close();
    app.server.closeAllConnections();
    this.docker.gone(app.id);
  }

  async #start(unit: string): Promise<void> {
    const text = this.#machine.readUnit(unit)?.text ?? '';
    const version = /Description=(\w+)/.exec(text)?.[1] ?? '';
    const instance = /@(\d+)/.exec(unit)?.[1] ?? '';
    const begun = performance.now();
    const server = createServer((asked, response) => {
      if (asked.url === '/long') return void held.push({ unit, response });
      // An answer that has begun cannot be asked of another server when this one breaks it off.
      if (asked.url !== '/health') {
        response.flushHeaders();
        return void setTimeout(() => response.end(version), ANSWER_MS);
      }
      // Ready only some time after its unit is active.
      const ready = performance.now() - begun > 400 && !version.startsWith('sick');
      response.writeHead(ready ? 200 : 500).end();
    });
    const port = await listening(server);
    const id = `${instance}${++this.#started}`.padEnd(64, 'a');
    this.#apps.set(unit, { id, server });
    this.docker.run(id, {
      name: `web-${instance}`,
      ports: { 8080: port },
      state: { StartedAt: new Date().toISOString() },
      env: version.startsWith('silent')
        ? {}
        : {
            // By default an id names the machine; all of these have one host name.
            SERVICE_ID:
              version === 'roaming' ? `web@${instance}-${this.#machine.hostname}` : `web@${instance}`,
            SERVICE_NAME: 'web',
            SERVICE_FRONTEND_HOST_LOAD_BALANCER: HOST,
            SERVICE_CHECK_HTTP: '/health',
            SERVICE_CHECK_INTERVAL: '200ms',
          },
    });
  }

  async end(): Promise<void> {
    this.#unlisten();
    await this.#working;
    for (const { server } of this.#apps.values()) {
      server.close();
      server.closeAllConnections();
    }
    await this.docker.stop();
  }
}

let dir: string;
let lab: HollowLab;
let at: Workplace;
let ends: (() => Promise<void>)[] = [];

const version = (name: string) =>
  at.file(
    'web@.service',
    `[Unit]\nDescription=${name}\n[Service]\nExecStart=/usr/bin/docker run --rm --name=web-%i -P image\nExecStop=/usr/bin/docker stop web-%i\n[X-Fleet]\nConflicts=web@*.service\n`,
  );

async function announce(machine: HollowMachine): Promise<void> {
  const containers = new FakeContainers(machine);
  await containers.docker.start();
  const flags = { ip: '127.0.0.1', internal: false, ttl: 11, ttlRefresh: 5, resync: 0, grace: 60 };
  const { address } = containers.docker;
  const more = { deregister: 'always', explicit: false, tags: '', docker: address, machine: machine.id };
  const own = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 2000 });
  const over = new AbortController();
  const running = runRegistrator(
    {
      ...(await registratorOptions({ ...flags, ...more })),
      store: own,
      prefix: '/cluster',
      trafficPrefix: '/vulcand',
      ready: () => undefined,
      report: new Reporter('error', () => undefined),
    },
    over.signal,
  );
  ends.push(async () => {
    over.abort();
    await running;
    await own.close();
    await containers.end();
  });
}

/** Requests, at least one to each server, that are under way until `held` are answered. */
async function hold(): Promise<void> {
  for (let at = 1; new Set(held.map(({ unit }) => unit)).size < 3; at++) {
    void get(listen, HOST, '/long');
    await eventually('it is under way', () => held.length === at);
  }
}

function answerHeld(): void {
  for (const { response } of held.splice(0)) response.end('late');
}

const answers = async (): Promise<number> => (await get(listen, HOST)).status;
const servers = async (): Promise<number> =>
  (await store.range('/vulcand/backends/web/servers/')).entries.length;
const marks = async (): Promise<number> => (await store.range('/cluster/leaving-servers/')).entries.length;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cluster-leave-'));
  lab = await hollowUp({ machines: 3, stateDir: dir, name: 'leave' });
  at = await workplaceWith(lab, { CLUSTER_ENDPOINT: etcd.endpoint });
  await Promise.all(lab.simulations.map(announce));
  await version('one');
  await at.ok('start', '--min-healthy', '0', ALL);
  await eventually('all are served', async () => (await servers()) === 3 && (await answers()) === 200);
});

afterEach(async () => {
  answerHeld();
  for (const end of ends) await end();
  ends = [];
  await lab.close();
  await at.remove();
  await rm(dir, { recursive: true, force: true });
  for (const prefix of [
    'machines',
    'units',
    'files',
    'services',
    'registrators',
    'rollouts',
    'rollout-number',
  ])
    etcd.etcdctl('del', '--prefix', `/cluster/${prefix}`);
  etcd.etcdctl('del', '--prefix', '/vulcand/backends/web/servers/');
});

test('a rolling replace under load: no request fails, since each unit leaves the gateway before it stops', async () => {
  await version('two');
  const plan = await at.ok('start', '--replace', '--dry-run', ALL);
  expect(plan.stdout).toContain('3 units leave the gateways before they stop');
  const going = load(listen, HOST);
  await sleep(200);
  const ran = await at.ok('start', '--replace', '--min-healthy', '200ms', ALL);
  await sleep(200);
  const { failed, bodies, total } = await going.end();
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(100);
  expect(bodies.get('one')).toBeGreaterThan(10);
  expect(bodies.get('two')).toBeGreaterThan(10);
  expect(ran.stdout).toContain('3 of 3 units healthy');
  expect(ran.stderr).toBe('');
  expect([await servers(), await marks()]).toEqual([3, 0]);
});

test('a version that its registrator finds sick never becomes healthy: the rollout halts at the first one', async () => {
  await version('sick');
  const going = load(listen, HOST);
  const ran = await at.run('start', '--replace', '--min-healthy', '200ms', '--deadline', '3s', ALL);
  const { failed } = await going.end();
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(
    'web@1.service was not healthy within 3 s: server web@1 of backend web is not well by its check',
  );
  expect(failed).toEqual([]);
  expect(await servers()).toBe(2);
  await at.ok('rollout', 'rollback');
  expect([await servers(), await marks()]).toEqual([3, 0]);
});

test('a version that no longer announces itself is not healthy, where the former one did', async () => {
  await version('silent');
  const ran = await at.run('start', '--replace', '--min-healthy', '200ms', '--deadline', '2s', ALL);
  expect(ran.stderr).toContain('does not announce itself, as it did before');
  await at.ok('rollout', 'rollback');
  expect(await servers()).toBe(3);
});

test('requests that do not end are waited for no longer than --drain, and said', async () => {
  await version('two');
  await hold();
  const ran = await at.ok('start', '--replace', '--min-healthy', '0', '--drain', '300ms', 'web@1.service');
  expect(ran.stderr).toMatch(/still under way to web@1 after 0\.3 s/);
  answerHeld();
});

test('a driver that is killed while units leave: their servers come back by themselves', async () => {
  await version('two');
  await hold();
  const running = at.start('start', '--replace', '--min-healthy', '0', '--drain', '60s', ALL);
  await eventually('one is out', async () => (await servers()) === 2, 20_000);
  running.child.kill('SIGKILL');
  await running.ended;
  await eventually('it is back', async () => (await servers()) === 3 && (await marks()) === 0, 20_000);
  answerHeld();
  await at.ok('rollout', 'resume');
  expect([await servers(), await marks()]).toEqual([3, 0]);
  expect((await get(listen, HOST)).body).toBe('two');
});

test('a drain under load: no request fails, since each unit is served elsewhere before it leaves', async () => {
  await version('roaming');
  await at.ok('start', '--replace', '--all-at-once', '--min-healthy', '0', ALL);
  await eventually('all are served', async () => (await servers()) === 3 && (await answers()) === 200);
  await at.file(
    'web@.service',
    '[Unit]\nDescription=roaming\n[Service]\nExecStart=/usr/bin/docker run --rm --name=web-%i -P image\n',
  );
  await at.ok('start', '--replace', '--min-healthy', '200ms', ALL);
  const going = load(listen, HOST);
  await sleep(200);
  const ran = await at.ok('machine', 'drain', '--min-healthy', '200ms', lab.machines[0]!.id);
  await sleep(200);
  const { failed, total } = await going.end();
  expect(failed).toEqual([]);
  expect(total).toBeGreaterThan(50);
  expect(ran.stdout).toContain('1 of 1 unit has left');
  expect([await servers(), await marks()]).toEqual([3, 0]);
});
