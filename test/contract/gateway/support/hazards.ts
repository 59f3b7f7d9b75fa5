import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { GatewayStatus } from '../../../../src/lib/gateway/admin.ts';
import { GatewayRegistry } from '../../../../src/lib/registry/index.ts';
import { openEtcd } from '../../../../src/lib/store/etcd.ts';
import type { Store } from '../../../../src/lib/store/port.ts';
import { type Running, startCli, type Workplace, workplace } from '../../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../../support/etcd-server.ts';
import { eventually } from '../../../support/eventually.ts';
import { freePort, listening } from '../../../support/port.ts';
import { gatewayStatus, get, writesOf } from './process.ts';

export const MACHINE = 'badc0ffeebadc0ffeebadc0ffeebadc0';

export let etcd: EtcdServer;
export let store: Store;
export let place: Workplace;
export let listen: number;
export let admin: number;
export let echo: Server;
export let behind: number;
export let gateway: Running;

/** The real command, in a folder of its own. */
export function start(
  name: string,
  ports: { listen: number; admin: number },
  env: NodeJS.ProcessEnv,
): Running {
  const args = ['gateway', '--listen', `127.0.0.1:${ports.listen}`, '--admin', `127.0.0.1:${ports.admin}`];
  args.push('--run-dir', join(place.dir, name, 'run'), '--state-dir', join(place.dir, name, 'state'));
  args.push('--machine', MACHINE, '--seal-key', 'ab'.repeat(32));
  return startCli(args, place.dir, { ...place.env, PATH: `${process.env.PATH}:/usr/sbin`, ...env });
}

export async function write(values: Record<string, object | string | null>): Promise<void> {
  const revision = (await store.commit({ compare: [], writes: writesOf('/vulcand/', values) })) ?? 0;
  const record = async () =>
    [...(await new GatewayRegistry(store, '/cluster').load()).gateways.values()].find(
      ({ machine }) => machine === MACHINE,
    );
  await eventually(`revision ${revision}`, async () => ((await record())?.revision ?? 0) >= revision, 20_000);
}

export const status = (port = admin): Promise<GatewayStatus> => gatewayStatus(port);
export const frontend = (BackendId: string, host: string, Settings = {}) => ({
  Type: 'http',
  BackendId,
  Route: `Host("${host}")`,
  Settings,
});
export const good = () => ({ URL: `http://127.0.0.1:${behind}` });

/** What the server behind saw of a request with these headers and this body. */
export function ask(host: string, headers: Record<string, string> = {}, body = '') {
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

/** Two frontends with a server each. */
const served = () => ({
  'backends/good/backend': { Type: 'http' },
  'backends/good/servers/s': good(),
  'frontends/good/frontend': frontend('good', 'good'),
  'backends/headless/servers/s': good(),
  'frontends/orphan/frontend': frontend('headless', 'orphan'),
});

/** A gateway that serves the frontends `good` and `orphan` and starts with these objects too, for the tests of one file. */
export function withServed(hazards: Record<string, object | string>): void {
  beforeAll(async () => {
    echo = createServer((incoming, response) => {
      const wait = Number(new URL(incoming.url ?? '/', 'http://x').searchParams.get('wait') ?? 0);
      setTimeout(() => response.end(JSON.stringify(incoming.headers)), wait);
    });
    behind = await listening(echo);
    [etcd, place] = [await startEtcd(), await workplace()];
    [listen, admin] = [await freePort(), await freePort()];
    store = await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 3000 });
    const writes = writesOf('/vulcand/', { ...served(), ...hazards });
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
}
