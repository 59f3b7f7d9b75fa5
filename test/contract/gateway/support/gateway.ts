import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { GatewayStatus } from '../../../../src/lib/gateway/admin.ts';
import { runPaths } from '../../../../src/lib/gateway/haproxy/process/files.ts';
import { Haproxy } from '../../../../src/lib/gateway/haproxy/process/haproxy.ts';
import { GatewayRegistry, TrafficRegistry } from '../../../../src/lib/registry/index.ts';
import { openEtcd } from '../../../../src/lib/store/etcd.ts';
import type { Store } from '../../../../src/lib/store/port.ts';
import { type Running, startCli, type Workplace, workplace } from '../../../support/cli.ts';
import { type EtcdServer, startEtcd } from '../../../support/etcd-server.ts';
import { eventually } from '../../../support/eventually.ts';
import { freePort } from '../../../support/port.ts';
import { type Backend, backend, gatewayStatus, writesOf } from './process.ts';

export const MACHINE = 'feedfacefeedfacefeedfacefeedface';

export let etcd: EtcdServer;
export let store: Store;
export let traffic: TrafficRegistry;
export let place: Workplace;
export let listen: number;
export let admin: number;
export let a: Backend;
export let b: Backend;
export let gateway: Running;

/** The real command, as a unit would run it, but for its paths and ports. */
export function start(): Running {
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

/** Starts the gateway anew, after a test has ended it. */
export function startAgain(): void {
  gateway = start();
}

export const status = (): Promise<GatewayStatus> => gatewayStatus(admin);
export const haproxy = () => new Haproxy('haproxy', runPaths(join(place.dir, 'run')));
export const record = async () =>
  [...(await new GatewayRegistry(store, '/cluster').load()).gateways.values()].find(
    ({ machine }) => machine === MACHINE,
  );

/** Puts values below vulcand's prefix in one transaction; null removes. @returns the revision. */
export async function write(values: Record<string, object | string | null>): Promise<number> {
  return (await store.commit({ compare: [], writes: writesOf(traffic.prefix, values) })) ?? 0;
}

export const served = async (revision: number): Promise<void> =>
  eventually(`revision ${revision} is announced`, async () => ((await record())?.revision ?? 0) >= revision);
export const frontend = (BackendId: string, Route: string, Settings = {}) => ({
  Type: 'http',
  BackendId,
  Route,
  Settings,
});
export const url = ({ port }: Backend) => ({ URL: `http://127.0.0.1:${port}` });

/** A gateway on a real etcd with two backends and one frontend, for the tests of one file. */
export function withGateway(): void {
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
}
