import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayRegistry, TrafficRegistry } from '../src/lib/registry/index.ts';
import { openEmbedded } from '../src/lib/store/embedded.ts';
import type { Store } from '../src/lib/store/port.ts';
import * as byHand from './by-hand.ts';
import { cluster, ENTRY, type Figure, median, run, withEnd } from './proc.ts';

const HOST = 'app.example.test';
const BODY = 'x'.repeat(1024);
const ROUNDS = 5;
const PORTS = {
  servers: [28_101, 28_102, 28_103, 28_104],
  plain: 28_110,
  alike: 28_113,
  gateway: 28_111,
  admin: 28_112,
};

/** Installs what is measured with; @throws where that cannot be. */
function requireTools(): void {
  for (const tool of ['haproxy', 'wrk']) {
    if (has(tool)) continue;
    if (process.getuid?.() !== 0 || !has('apt-get')) throw new Error(`${tool} is not installed`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
    execFileSync('apt-get', ['update', '-q'], { stdio: 'ignore', env });
    execFileSync('apt-get', ['install', '-y', '-q', tool], { stdio: 'ignore', env });
  }
}

function has(tool: string): boolean {
  try {
    execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin command -v ${tool}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The gateway's throughput beside HAProxy configured by hand, and what a change costs in a large registry. */
export async function benchTraffic(): Promise<Figure[]> {
  requireTools();
  const dir = await mkdtemp(join(tmpdir(), 'cluster-bencht-'));
  const running: ChildProcess[] = [];
  const work = async () => [...(await throughput(dir, running)), ...(await scale(dir, running))];
  return withEnd(work, async () => {
    for (const child of running) await ended(child);
    await rm(dir, { recursive: true, force: true });
  });
}

function start(
  running: ChildProcess[],
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const path = `${process.env.PATH}:/usr/sbin`;
  const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, PATH: path, ...env } });
  running.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([gone, sleep(5000)]);
}

async function throughput(dir: string, running: ChildProcess[]): Promise<Figure[]> {
  const servers = PORTS.servers.map((port) => `127.0.0.1:${port}`);
  await writeFile(join(dir, 'body'), BODY);
  const configs = {
    'servers.cfg': byHand.servers({ servers }, join(dir, 'body')),
    'plain.cfg': byHand.plain({ host: HOST, servers, port: PORTS.plain }),
    'alike.cfg': byHand.alike({ host: HOST, servers, port: PORTS.alike }),
  };
  const children: ChildProcess[] = [];
  for (const [file, text] of Object.entries(configs)) {
    await writeFile(join(dir, file), text);
    children.push(start(running, 'haproxy', ['-db', '-f', join(dir, file)]));
  }
  await cluster(dir, ['backend', 'upsert', '--id', 'app']);
  for (const [n, server] of servers.entries())
    await cluster(dir, ['server', 'upsert', '-b', 'app', '--id', `s${n}`, '--url', `http://${server}`]);
  await cluster(dir, [
    'frontend',
    'upsert',
    '--id',
    'app',
    '-b',
    'app',
    '--route',
    `Host("${HOST}") && PathRegexp(".*")`,
  ]);
  const gateway = startGateway(dir, running, dir);
  await answering(PORTS.gateway);
  const taken: Record<'gateway' | 'plain' | 'alike' | 'direct', Sample[]> = {
    gateway: [],
    plain: [],
    alike: [],
    direct: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    const turns = [
      ['gateway', PORTS.gateway],
      ['plain', PORTS.plain],
      ['alike', PORTS.alike],
      ['direct', PORTS.servers[0] ?? 0],
    ] as const;
    for (const [kind, port] of round % 2 === 0 ? turns : turns.toReversed())
      taken[kind].push(await load(port));
  }
  const cpu = await cpuOfServers(dir, servers);
  for (const child of [gateway, ...children]) await ended(child);
  const of = (kind: keyof typeof taken, field: keyof Sample) =>
    median(taken[kind].map((sample) => sample[field]));
  return [
    {
      figure: 'a request through the gateway / HAProxy by hand',
      unit: 'us',
      ours: of('gateway', 'us'),
      floor: of('plain', 'us'),
      aim: 1.05,
    },
    {
      figure: '  its 99th percentile',
      unit: 'ms',
      ours: of('gateway', 'p99'),
      floor: of('plain', 'p99'),
      aim: null,
    },
    {
      figure: 'a request through the gateway / HAProxy by hand that retries and forwards as much',
      unit: 'us',
      ours: of('gateway', 'us'),
      floor: of('alike', 'us'),
      aim: null,
    },
    {
      figure: 'a request through the gateway / to a server directly',
      unit: 'us',
      ours: of('gateway', 'us'),
      floor: of('direct', 'us'),
      aim: null,
    },
    {
      figure: 'processor time of a request, servers added at run time / in the configuration',
      unit: 'us',
      ours: cpu.added,
      floor: cpu.configured,
      aim: 1.05,
    },
  ];
}

/** Processor time of HAProxy for each request: to the servers of its configuration, then to the same ones added later. */
async function cpuOfServers(dir: string, servers: readonly string[]) {
  const configured: number[] = [];
  const added: number[] = [];
  const pid = (await gatewayStatus()).proxy.pid;
  for (let round = 0; round < ROUNDS; round++) configured.push((await load(PORTS.gateway, pid)).cpuUs);
  for (const [n, server] of servers.entries())
    await cluster(dir, ['server', 'upsert', '-b', 'app', '--id', `late${n}`, '--url', `http://${server}`]);
  for (const n of servers.keys()) await cluster(dir, ['server', 'rm', '-b', 'app', '--id', `s${n}`]);
  await sleep(500);
  const { reloads } = (await gatewayStatus()).proxy;
  if (reloads > 0) throw new Error('the servers did not come at run time');
  for (let round = 0; round < ROUNDS; round++) added.push((await load(PORTS.gateway, pid)).cpuUs);
  return { configured: median(configured), added: median(added) };
}

interface Status {
  readonly proxy: { readonly pid: number; readonly reloads: number };
}

async function gatewayStatus(): Promise<Status> {
  return (await (await fetch(`http://127.0.0.1:${PORTS.admin}/v1/status`)).json()) as Status;
}

function startGateway(dir: string, running: ChildProcess[], data: string): ChildProcess {
  return start(
    running,
    process.execPath,
    [
      ENTRY,
      'gateway',
      ...['--listen', `127.0.0.1:${PORTS.gateway}`, '--admin', `127.0.0.1:${PORTS.admin}`],
      ...['--run-dir', join(dir, 'run'), '--state-dir', join(dir, 'state')],
    ],
    { CLUSTER_DATA_DIR: join(data, 'store'), CLUSTER_GATEWAY_MACHINE: 'bench' },
  );
}

interface Sample {
  /** Of wall clock for each answer: one million over the throughput. */
  readonly us: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Processor time of the process that was named, for each answer. */
  readonly cpuUs: number;
}

async function load(port: number, pid?: number): Promise<Sample> {
  const before = pid === undefined ? 0 : processorMs(pid);
  const args = ['-t1', '-c32', '-d3s', '--latency', '-H', `Host: ${HOST}`, `http://127.0.0.1:${port}/`];
  const { stdout } = await run('wrk', args);
  const [, rate = 'x'] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? [];
  const [, p99 = 'x', unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk on ${port}: ${stdout}`);
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN;
  const [, answers = 'x'] = /(\d+) requests in/.exec(stdout) ?? [];
  const cpuUs = pid === undefined ? Number.NaN : (1000 * (processorMs(pid) - before)) / Number(answers);
  return { us: 1e6 / Number(rate), p99: Number(p99) * factor, cpuUs };
}

async function answering(port: number): Promise<void> {
  for (const until = Date.now() + 15_000; Date.now() < until; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { host: HOST } }).catch(
      () => undefined,
    );
    await answer?.text();
    if (answer !== undefined) return;
  }
  throw new Error('the gateway does not answer');
}

/** One change in a registry of 1,000 frontends and 5,000 servers, beside the same in one of 10 and 50. */
async function scale(dir: string, running: ChildProcess[]): Promise<Figure[]> {
  const small = await filled(dir, running, 10);
  const large = await filled(dir, running, 1000);
  const line = (figure: string, unit: 'ms' | 'MB', of: keyof typeof small): Figure => ({
    figure,
    unit,
    ours: large[of],
    floor: small[of],
    aim: null,
  });
  return [
    line('switch, 1,000 frontends and 5,000 servers / 10 and 50', 'ms', 'switched'),
    line('a server more, the same', 'ms', 'added'),
    line('a backend more (a reload), the same', 'ms', 'reloaded'),
    line('memory of the gateway process, the same', 'MB', 'nodeMb'),
    line('memory of HAProxy, the same', 'MB', 'haproxyMb'),
  ];
}

async function filled(dir: string, running: ChildProcess[], count: number) {
  const data = join(dir, `n${count}`);
  const store = await openEmbedded(join(data, 'store'));
  const registry = new TrafficRegistry(store, '/vulcand');
  const put = async (entries: readonly (readonly [string, object])[]): Promise<number> =>
    registry.change(
      await registry.load(),
      entries.map(([path, value]) => ({ put: path, value: value as Record<string, unknown> })),
    );
  const frontend = (n: number, backend: number) =>
    [
      `frontends/f${n}/frontend`,
      {
        Id: `f${n}`,
        Type: 'http',
        BackendId: `b${backend}`,
        Route: `Host("h${n}.test") && PathRegexp(".*")`,
      },
    ] as const;
  const server = (backend: number, n: number, port: number) =>
    [`backends/b${backend}/servers/s${n}`, { Id: `s${n}`, URL: `http://127.0.0.1:${port}` }] as const;
  const backend = (n: number) => [`backends/b${n}/backend`, { Id: `b${n}`, Type: 'http' }] as const;
  const all = Array.from({ length: count }, (_, n) => [
    backend(n),
    ...[1, 2, 3, 4, 5].map((id) => server(n, id, 20_000 + ((n * 5 + id) % 5000))),
    frontend(n, n),
  ]).flat();
  for (let at = 0; at < all.length; at += 100) await put(all.slice(at, at + 100));
  const gateway = startGateway(join(data, 'gw'), running, data);
  const served = (revision: number) => reached(store, revision);
  await served(await put([frontend(0, 0)]));
  const timed = async (entries: readonly (readonly [string, object])[]): Promise<number> => {
    const revision = await put(entries);
    const begin = performance.now();
    await served(revision);
    await sleep(150);
    return performance.now() - begin - 150;
  };
  const times = async (make: (n: number) => readonly (readonly [string, object])[]): Promise<number> => {
    const taken: number[] = [];
    for (let n = 1; n <= 9; n++) taken.push(await timed(make(n)));
    return median(taken);
  };
  const switched = await times((n) => [frontend(1, 2 + (n % 2))]);
  const added = await times((n) => [server(3, 100 + n, 21_000 + n)]);
  const reloaded = await times((n) => [backend(100_000 + n)]);
  const status = await gatewayStatus();
  const result = {
    switched,
    added,
    reloaded,
    nodeMb: residentMb(gateway.pid ?? 0),
    haproxyMb: residentMb(status.proxy.pid),
  };
  await ended(gateway);
  await store.close();
  return result;
}

async function reached(store: Store, revision: number): Promise<void> {
  for (const until = Date.now() + 30_000; Date.now() < until; await sleep(1)) {
    const { gateways } = await new GatewayRegistry(store, '/cluster').load();
    if ([...gateways.values()].some((gateway) => gateway.revision >= revision)) return;
  }
  throw new Error('the gateway does not follow');
}

/** Of the process and its children: HAProxy's work is done by a worker. */
function residentMb(pid: number): number {
  const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return own + childrenOf(pid).reduce((sum, child) => sum + residentMb(child), 0);
}

/** The kernel counts processor time in ticks of 10 ms. */
const TICK_MS = 10;

/** Processor time that the process and its children have used so far. */
function processorMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const own = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  return own + childrenOf(pid).reduce((sum, child) => sum + processorMs(child), 0);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text.split(' ').filter(Boolean).map(Number);
}
