import { type ChildProcess, execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { GatewayRegistry, TrafficRegistry } from '../src/lib/registry/index.ts';
import { openEmbedded } from '../src/lib/store/embedded.ts';
import type { Store } from '../src/lib/store/port.ts';
import { prices } from './gateway-prices.ts';
import { requests } from './gateway-requests.ts';
import { type Figure, median, withEnd } from './proc.ts';
import { ended, proxyPid, residentMb, startGateway } from './proxies.ts';

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
  const work = async () => [
    ...(await requests(dir, running)),
    ...(await prices(dir, running)),
    ...(await scale(dir, running)),
  ];
  return withEnd(work, async () => {
    for (const child of running) await ended(child);
    await rm(dir, { recursive: true, force: true });
  });
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
  const result = {
    switched,
    added,
    reloaded,
    nodeMb: residentMb(gateway.pid ?? 0),
    haproxyMb: residentMb(await proxyPid()),
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
