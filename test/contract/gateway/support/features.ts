import { spawn } from 'node:child_process';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { GatewayStatus } from '../../../../src/lib/gateway/admin.ts';
import { TrafficRegistry } from '../../../../src/lib/registry/index.ts';
import { openEmbedded } from '../../../../src/lib/store/embedded.ts';
import { openEtcd } from '../../../../src/lib/store/etcd.ts';
import { type Ran, type Running, startCli, workplace } from '../../../support/cli.ts';
import { startEtcd } from '../../../support/etcd-server.ts';
import { eventually } from '../../../support/eventually.ts';
import { freePort, listening } from '../../../support/port.ts';
import { type Answer, type Asking, ask as askPort } from './haproxy-run.ts';
import { gatewayStatus } from './process.ts';

const ENV = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** A store, the real command line on it, and the ports of one gateway. */
export interface Site {
  readonly dir: string;
  readonly listen: number;
  readonly admin: number;
  /** The command line; must end with exit code 0. Blanks of the first argument part words. */
  run(first: string, ...more: string[]): Promise<Ran>;
  /** Writes a value as another program might, and waits until it is live. */
  put(path: string, value: object): Promise<void>;
  /** Starts the gateway and waits until it serves all that is stored. */
  start(...flags: string[]): Promise<Running>;
  /** The gateway's process, not waited for. */
  spawn(...flags: string[]): Running;
  status(): Promise<GatewayStatus>;
  /** Command lines that do not rest on each other, side by side, and then live. */
  all(...lines: readonly (readonly [string, ...string[]])[]): Promise<void>;
  /** A request for the host `NAME.test`, on a connection of its own: one from before a reload is answered as before it. */
  ask(name: string, asking?: Asking): Promise<Answer>;
  /** Statuses of so many requests, one after the other. */
  statuses(times: number, name: string, asking?: Asking): Promise<number[]>;
  /** What was written before is live, where a gateway runs. */
  settled(): Promise<void>;
  /** Ends the gateway that runs, and HAProxy. */
  end(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

export async function site(kind: 'etcd' | 'embedded'): Promise<Site> {
  const etcd = kind === 'etcd' ? await startEtcd() : null;
  const at = await workplace(etcd === null ? ENV : { ...ENV, CLUSTER_ENDPOINT: etcd.endpoint });
  const store =
    etcd === null
      ? await openEmbedded(join(at.dir, 'store'))
      : await openEtcd({ endpoints: [etcd.endpoint], timeoutMs: 5000 });
  const traffic = new TrafficRegistry(store, '/vulcand');
  const [listen, admin] = [await freePort(), await freePort()];
  let running: Running | undefined;

  const status = (): Promise<GatewayStatus> => gatewayStatus(admin);
  const settled = async () => {
    if (running === undefined) return;
    // What was removed has no revision of its own: something is written again as it is.
    const [again] = (await store.range(traffic.prefix)).entries;
    if (again === undefined) throw new Error('nothing is stored');
    const newest =
      (await store.commit({ compare: [], writes: [{ put: again.key, value: again.value }] })) ?? 0;
    const live = async () => (await status().catch(() => null))?.revision ?? 0;
    await eventually(`revision ${newest} is live`, async () => (await live()) >= newest, 20_000);
  };
  const start = (flags: readonly string[]): Running => {
    const usual = {
      CLUSTER_LISTEN: `127.0.0.1:${listen}`,
      CLUSTER_ADMIN: `127.0.0.1:${admin}`,
      CLUSTER_RUN_DIR: join(at.dir, 'run'),
      CLUSTER_STATE_DIR: join(at.dir, 'state'),
    };
    running = startCli(['gateway', ...flags], at.dir, { ...at.env, ...usual });
    return running;
  };
  const end = async () => {
    if (running === undefined) return;
    running.child.kill('SIGTERM');
    await running.ended;
    running = undefined;
  };
  const run = async (first: string, ...more: string[]): Promise<Ran> => {
    const args = [...first.split(' '), ...more];
    const ran = await at.run(...args);
    expect([ran.code, ran.stderr.replace(/^WARNING.*$/gm, '').trim()], args.join(' ')).toEqual([0, '']);
    return ran;
  };
  const ask = (name: string, asking: Asking = {}): Promise<Answer> =>
    askPort(listen, { ...asking, fresh: true, headers: { host: `${name}.test`, ...asking.headers } });
  return {
    dir: at.dir,
    listen,
    admin,
    status,
    settled,
    spawn: (...flags) => start(flags),
    start: async (...flags) => {
      const gateway = start(flags);
      await settled();
      return gateway;
    },
    run,
    put: async (path, value) => {
      const key = traffic.prefix + path;
      await store.commit({ compare: [], writes: [{ put: key, value: JSON.stringify(value) }] });
      await settled();
    },
    ask,
    all: async (...lines) => {
      await Promise.all(lines.map((line) => run(...line)));
      await settled();
    },
    statuses: async (times, name, asking) =>
      (await repeat(times, () => ask(name, asking))).map(({ status }) => status),
    end,
    close: async () => {
      await end();
      await store.close();
      await etcd?.stop();
      await at.remove();
    },
  };
}

/** One after the other. */
export async function repeat<Value>(times: number, work: () => Promise<Value>): Promise<Value[]> {
  const values: Value[] = [];
  for (let n = 0; n < times; n++) values.push(await work());
  return values;
}

/** Flags of a frontend for `NAME.test`. */
export const route = (name: string) => ['-id', name, '-route', `Host("${name}.test")`, '--no-wait'];

/** What a server that tells all says it was asked. */
export const told = ({ body }: Answer): { name: string; url: string; headers: Record<string, string> } =>
  JSON.parse(body);

export interface SmallServer {
  readonly url: string;
  readonly port: number;
  readonly server: Server;
  requests: number;
  close(): void;
}

const open = async (server: Server, scheme: string): Promise<SmallServer> => {
  const port = await listening(server);
  const small: SmallServer = {
    url: `${scheme}://localhost:${port}`,
    port,
    server,
    requests: 0,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  server.prependListener('request', () => {
    small.requests++;
  });
  return small;
};

/** A server of the test's own; one with `pem` speaks TLS. */
export const smallServer = (handler: RequestListener, pem?: string): Promise<SmallServer> =>
  pem === undefined
    ? open(createHttpServer(handler), 'http')
    : open(createHttpsServer({ key: pem, cert: pem }, handler), 'https');

/** The demo application as a process of its own. */
export interface Demo {
  readonly url: string;
  close(): void;
}

export async function demo(version: string): Promise<Demo> {
  const file = join(import.meta.dirname, '..', '..', '..', '..', 'examples', 'demo-application', 'server.js');
  const env = { ...process.env, PORT: '0', VERSION: version };
  const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the demo application ended')));
    child.stdout.on('data', (part: Buffer) => {
      const found = /listens on port (\d+)/.exec(part.toString())?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return { url: `http://127.0.0.1:${port}`, close: () => void child.kill('SIGKILL') };
}
