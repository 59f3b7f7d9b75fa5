import type { ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as byHand from './by-hand.ts';
import { cluster, type Figure, median } from './proc.ts';
import {
  answering,
  ended,
  gatewayStatus,
  HOST,
  load,
  PORTS,
  proxyPid,
  type Sample,
  start,
  startGateway,
} from './proxies.ts';

const BODY = 'x'.repeat(1024);
const ROUNDS = 7;
const SECONDS = 2;

const SERVERS = PORTS.servers.map((port) => `127.0.0.1:${port}`);

/** Starts the servers that all of it is measured with. */
export async function startServers(dir: string, running: ChildProcess[]): Promise<ChildProcess> {
  await writeFile(join(dir, 'body'), BODY);
  await writeFile(join(dir, 'servers.cfg'), byHand.servers({ servers: SERVERS }, join(dir, 'body')));
  const child = start(running, 'haproxy', ['-db', '-f', join(dir, 'servers.cfg')]);
  await answering(PORTS.servers[0] ?? 0);
  return child;
}

/** Requests through a gateway beside HAProxy configured by hand: to servers of its configuration, then to those added later. */
export async function requests(dir: string, running: ChildProcess[]): Promise<Figure[]> {
  const children = [await startServers(dir, running)];
  const hand = (file: string, text: string): Promise<ChildProcess> =>
    writeFile(join(dir, file), text).then(() => start(running, 'haproxy', ['-db', '-f', join(dir, file)]));
  const plain = await hand('plain.cfg', byHand.plain({ host: HOST, servers: SERVERS, port: PORTS.plain }));
  const alike = await hand('alike.cfg', byHand.alike({ host: HOST, servers: SERVERS, port: PORTS.alike }));
  await cluster(dir, ['backend', 'upsert', '--id', 'app']);
  for (const [n, server] of SERVERS.entries())
    await cluster(dir, ['server', 'upsert', '-b', 'app', '--id', `s${n}`, '--url', `http://${server}`]);
  const route = `Host("${HOST}") && PathRegexp(".*")`;
  await cluster(dir, ['frontend', 'upsert', '--id', 'app', '-b', 'app', '--route', route]);
  const gateway = startGateway(dir, running, dir);
  await answering(PORTS.gateway);

  const pid = await proxyPid();
  const measured: Measured = {
    gateway: { port: PORTS.gateway, pid },
    plain: { port: PORTS.plain, pid: plain.pid },
    alike: { port: PORTS.alike, pid: alike.pid },
    direct: { port: PORTS.servers[0] ?? 0 },
  };
  const configured = await inTurn(measured);
  await serversAtRunTime(dir);
  const added = await inTurn(measured);

  for (const child of [gateway, plain, alike, ...children]) await ended(child);
  return [...figures('configured servers', configured), ...figures('run-time servers', added)];
}

/** Puts servers in the place of the configured ones without a reload; @throws where HAProxy was reloaded. */
async function serversAtRunTime(dir: string): Promise<void> {
  for (const [n, server] of SERVERS.entries())
    await cluster(dir, ['server', 'upsert', '-b', 'app', '--id', `late${n}`, '--url', `http://${server}`]);
  for (const n of SERVERS.keys()) await cluster(dir, ['server', 'rm', '-b', 'app', '--id', `s${n}`]);
  await sleep(500);
  const { reloads } = (await gatewayStatus()).proxy;
  if (reloads > 0) throw new Error('the servers did not come at run time');
}

type Kind = 'gateway' | 'plain' | 'alike' | 'direct';
type Measured = Readonly<Record<Kind, { readonly port: number; readonly pid?: number | undefined }>>;
type Taken = Readonly<Record<Kind, readonly Sample[]>>;

async function inTurn(measured: Measured): Promise<Taken> {
  const taken: Record<Kind, Sample[]> = { gateway: [], plain: [], alike: [], direct: [] };
  const kinds: readonly Kind[] = ['gateway', 'alike', 'plain', 'direct'];
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      const { port, pid } = measured[kind];
      taken[kind].push(await load(port, pid, SECONDS));
    }
  return taken;
}

function figures(path: string, taken: Taken): Figure[] {
  const line = (
    figure: string,
    unit: 'us' | 'ms',
    field: keyof Sample,
    other: Kind,
    aim: number | null,
  ): Figure => ({
    figure: `${path}: ${figure}`,
    unit,
    ours: median(taken.gateway.map((sample) => sample[field])),
    floor: median(taken[other].map((sample) => sample[field])),
    aim,
  });
  return [
    line(
      'processor time of a request, gateway / HAProxy by hand that does the same',
      'us',
      'cpuUs',
      'alike',
      1.2,
    ),
    line('processor time of a request, gateway / shortest HAProxy by hand', 'us', 'cpuUs', 'plain', null),
    // A throughput of 0.95.
    line('time per request, gateway / HAProxy by hand that does the same', 'us', 'us', 'alike', 1.05),
    line('time per request, gateway / shortest HAProxy by hand', 'us', 'us', 'plain', null),
    line('99th percentile, gateway / HAProxy by hand that does the same', 'ms', 'p99', 'alike', null),
    line('time per request, gateway / to a server directly', 'us', 'us', 'direct', null),
  ];
}
