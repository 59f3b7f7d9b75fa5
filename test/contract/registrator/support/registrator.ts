import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import {
  type RegistratorOptions,
  registratorOptions,
  runRegistrator,
} from '../../../../src/lib/discovery/index.ts';
import { Reporter, textLine } from '../../../../src/lib/keep/index.ts';
import { openEtcd } from '../../../../src/lib/store/etcd.ts';
import type { Store } from '../../../../src/lib/store/port.ts';
import { type EtcdServer, startEtcd } from '../../../support/etcd-server.ts';
import { listening } from '../../../support/port.ts';
import type { Described } from '../../../unit/discovery/support.ts';
import { FakeDocker } from './fake-docker.ts';

export const NAME = 'demo-application-v0.2.0';
export const ONE = `${NAME}@1`;
export const SERVER = `/vulcand/backends/${NAME}/servers/${ONE}`;
export const M1 = '1'.repeat(32);
export const M2 = '2'.repeat(32);

export let etcd: EtcdServer;
export let store: Store;
export let docker: FakeDocker;
export const ends: (() => Promise<void>)[] = [];
export let lines: string[] = [];
export let problems: string[] = [];

/** A real etcd for the tests of one file, and an empty one and a fake Docker for each of them. */
export function withRegistry(): void {
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
}

export const open = (): Promise<Store> => openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 2000 });

/** A server that can be made sick; what stands in a container of the talk. */
export async function application(): Promise<{ port: number; code: number; asked: number; server: Server }> {
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
export function demo(
  port: number,
  instance = 1,
  env: Record<string, string> = {},
  more: Described = {},
): Described {
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
export const CHECKED = { SERVICE_CHECK_HTTP: '/health', SERVICE_CHECK_INTERVAL: '200ms' };

/** Runs one until the test ends, or until the function that is returned is called. */
export async function registrator(
  of: Partial<RegistratorOptions> = {},
  on = docker,
): Promise<() => Promise<void>> {
  const flags = { ip: '127.0.0.1', internal: false, ttl: 11, ttlRefresh: 5, resync: 0, grace: 60 };
  const more = { deregister: 'always', explicit: false, tags: '', docker: on.address, machine: M1 };
  const own = await open();
  const options = {
    ...(await registratorOptions({ ...flags, ...more })),
    store: own,
    prefix: '/cluster',
    trafficPrefix: '/vulcand',
    ready: () => undefined,
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

export async function keys(): Promise<string[]> {
  const [traffic, presence] = [await store.range('/vulcand/'), await store.range('/cluster/services/')];
  return [...traffic.entries, ...presence.entries].map(({ key }) => key);
}
export const value = async (key: string): Promise<unknown> =>
  JSON.parse((await store.get(key))?.value ?? 'null');
export const lease = async (key: string): Promise<string | null> => (await store.get(key))?.lease ?? null;
export const poll = <T>(get: () => T, timeout = 5000) => expect.poll(get, { timeout, interval: 10 });
export const servers = async (): Promise<string[]> =>
  (await store.range(`/vulcand/backends/${NAME}/servers/`)).entries.map(
    ({ key }) => key.split('/').at(-1) ?? '',
  );
