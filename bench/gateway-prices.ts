import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { renderConfig, translate } from '../src/lib/gateway/haproxy/translate/translate.ts';
import { readTraffic } from '../src/lib/traffic/index.ts';
import { startServers } from './gateway-requests.ts';
import type { Figure } from './proc.ts';
import { answering, ended, HOST, load, PORTS, start } from './proxies.ts';

const ROUNDS = 9;
const FIRST_PORT = 28_120;

/** One thing that costs every request something. */
interface Price {
  readonly of: string;
  /** What its frontend is set to. */
  readonly settings?: object;
  readonly middleware?: { readonly type: string; readonly values: object };
  readonly route?: string;
  /** Takes it out of the gateway's usual configuration, where it is part of that. */
  readonly without?: (config: string) => string;
}

const dropped =
  (line: RegExp) =>
  (config: string): string =>
    config
      .split('\n')
      .filter((text) => !line.test(text))
      .join('\n');

const ROUTE = `Host("${HOST}") && PathRegexp(".*")`;

const PRICES: readonly Price[] = [
  {
    of: 'the copy of the request for a second attempt (off: Stream)',
    without: (config) => config.replace(/^ {2}retry-on .*$/m, '  retry-on conn-failure'),
  },
  {
    of: 'a copy of 20 KiB and not of 16, for headers of 16 KiB (off: --max-header-bytes 12288)',
    without: (config) => config.replace('tune.bufsize 20480', 'tune.bufsize 16384'),
  },
  { of: 'the six forwarded headers', without: dropped(/set-header X-/) },
  { of: 'one of them, a fixed text', without: dropped(/set-header X-Forwarded-Proto/) },
  { of: 'one of them, X-Forwarded-For', without: dropped(/set-header X-Forwarded-For/) },
  { of: 'the counters for `top`', without: dropped(/track-sc0/) },
  { of: 'limits of the header (431)', without: dropped(/status 431/) },
  { of: 'the check of the Host (400)', without: dropped(/malformed host/) },
  {
    of: 'the question whether a server is there (503)',
    // HAProxy opens a map of `use_backend` only where a rule before it has opened it.
    without: (config) =>
      config.replace(
        /^ {2}http-request return status 503 .*$/m,
        '  http-request set-var(txn.none) str(),map_str(frontends.map) if FALSE',
      ),
  },
  {
    of: 'removal of headers of one connection and of false claims',
    without: dropped(/allow if|del-header|txn\.(up|te)\b|set-uri|malformed target/),
  },
  { of: 'TrustForwardHeader', settings: { TrustForwardHeader: true } },
  { of: 'Hostname', settings: { Hostname: 'own' } },
  { of: 'Limits.MaxBodyBytes', settings: { Limits: { MaxBodyBytes: 1000 } } },
  { of: 'a route with a Path', route: `Host("${HOST}") && Path("/")` },
  { of: 'a route with a regular expression', route: `Host("${HOST}") && PathRegexp("^/[a-z]*$")` },
  {
    of: 'connlimit',
    middleware: { type: 'connlimit', values: { Connections: 10_000, Variable: 'client.ip' } },
  },
  {
    of: 'ratelimit',
    middleware: {
      type: 'ratelimit',
      values: { PeriodSeconds: 1, Requests: 1_000_000, Burst: 1_000_000, Variable: 'client.ip' },
    },
  },
  {
    of: 'rewrite',
    middleware: { type: 'rewrite', values: { Regexp: '^(http://[^/]+)/(.*)$', Replacement: '$1/$2' } },
  },
  {
    of: 'trace (a log line)',
    middleware: { type: 'trace', values: { Addr: 'syslog://127.0.0.1:9', Prefix: '@cee: ' } },
  },
  {
    of: 'cbreaker (a log line)',
    middleware: {
      type: 'cbreaker',
      values: {
        Condition: 'NetworkErrorRatio() > 0.5',
        Fallback: { Type: 'response', Action: { StatusCode: 503, Body: '' } },
        FallbackDuration: 1_000_000_000,
        RecoveryDuration: 1_000_000_000,
        CheckPeriod: 1_000_000_000,
      },
    },
  },
];

/** What each switch costs a request: processor time of HAProxy with it / without it, of one thread, nothing else changed. */
export async function prices(dir: string, running: ChildProcess[]): Promise<Figure[]> {
  const servers = await startServers(dir, running);
  const usual = await serve(dir, running, FIRST_PORT, { of: '' });
  const others: Served[] = [];
  for (const [n, price] of PRICES.entries())
    others.push(await serve(dir, running, FIRST_PORT + 1 + n, price));
  const all = [usual, ...others];

  const taken = all.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const at of round % 2 === 0 ? all.keys() : [...all.keys()].reverse()) {
      const { port, child } = all[at] as Served;
      taken[at]?.push((await load(port, child.pid, 1)).cpuUs);
    }
  for (const { child, logs } of all) {
    logs.close();
    await ended(child);
  }
  await ended(servers);

  // The least of many runs: what else a computer does only adds to a run.
  const least = (samples: readonly number[] = []): number => Math.min(...samples);
  const base = least(taken[0]);
  return PRICES.map(({ of, without }, n): Figure => {
    const other = least(taken[n + 1]);
    const [ours, floor] = without === undefined ? [other, base] : [base, other];
    return { figure: `price: ${of}, with / without`, unit: 'us', ours, floor, aim: null };
  });
}

interface Served {
  readonly port: number;
  readonly child: ChildProcess;
  /** Takes what HAProxy logs, as the gateway does; it reads and forgets it. */
  readonly logs: Server;
}

async function serve(dir: string, running: ChildProcess[], port: number, price: Price): Promise<Served> {
  const own = join(dir, `price-${port}`);
  const { settings = {}, middleware, route = ROUTE, without = (config: string) => config } = price;
  const objects: Record<string, object> = {
    'backends/app/backend': { Type: 'http' },
    'frontends/app/frontend': { Type: 'http', BackendId: 'app', Route: route, Settings: settings },
  };
  for (const [n, server] of PORTS.servers.entries())
    objects[`backends/app/servers/s${n}`] = { URL: `http://127.0.0.1:${server}` };
  if (middleware !== undefined)
    objects['frontends/app/middlewares/m'] = {
      Type: middleware.type,
      Id: 'm',
      Priority: 1,
      Middleware: middleware.values,
    };
  const entries = Object.entries(objects).map(([path, value]) => ({
    path,
    value: JSON.stringify(value),
    revision: 1,
    lease: null,
  }));
  const serving = translate(readTraffic('/vulcand/', entries, 1), {
    hostname: 'bench',
    listen: `127.0.0.1:${port}`,
    adminSocket: join(own, 'admin.sock'),
    logSocket: join(own, 'log.sock'),
    openKeyPair: () => '',
  });
  const left = [...serving.leftOut, ...serving.notes].map(({ message }) => message);
  if (serving.leftOut.length > 0) throw new Error(`${price.of}: ${left.join('; ')}`);
  const usual = renderConfig(serving).replace('global\n', 'global\n  nbthread 1\n');
  const config = without(usual);
  if (price.without !== undefined && config === usual) throw new Error(`${price.of}: nothing to take out`);
  const files = new Map([...serving.files, ['haproxy.cfg', config]]);
  for (const [name, map] of serving.maps)
    files.set(name, [...map].map(([key, value]) => `${key} ${value}\n`).join(''));
  for (const [name, text] of files) {
    await mkdir(dirname(join(own, name)), { recursive: true });
    await writeFile(join(own, name), text);
  }
  const logs = createServer((socket) => socket.on('error', () => undefined).resume());
  await once(logs.listen(join(own, 'log.sock')), 'listening');
  const child = start(running, 'haproxy', ['-db', '-f', join(own, 'haproxy.cfg')]);
  await answering(port);
  return { port, child, logs };
}
