import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Serving } from '../../../../src/lib/gateway/haproxy/serving.ts';
import {
  renderConfig,
  type TranslateOptions,
} from '../../../../src/lib/gateway/haproxy/translate/translate.ts';
import { readTraffic, type TrafficState } from '../../../../src/lib/traffic/index.ts';

const PATH = `${process.env.PATH}:/usr/sbin:/sbin`;

/** Installs Debian's haproxy where there is none; the package's own service is not started. */
export function ensureHaproxy(): void {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore', env: { PATH } });
    return;
  } catch {
    if (process.getuid?.() !== 0) throw new Error('these tests need haproxy: apt-get install haproxy');
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args: string[]) =>
    execFileSync('apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=120', ...args], { stdio: 'ignore', env });
  apt('update');
  apt('install', '-y', '--no-install-recommends', 'haproxy');
}

/** A state from `PATH -> value`, as it would stand in the registry. */
export function stateOf(objects: Readonly<Record<string, unknown>>): TrafficState {
  return readTraffic(
    '/vulcand/',
    Object.entries(objects).map(([path, value]) => ({
      path,
      value: typeof value === 'string' ? value : JSON.stringify(value),
      revision: 1,
      lease: null,
    })),
    1,
  );
}

/** Options of a gateway on this computer; `listen` is `127.0.0.1:PORT`. */
export function optionsFor(
  listen: string,
  directory: string,
  logSocket = join(directory, 'log.sock'),
): TranslateOptions {
  return {
    hostname: 'gateway-1',
    listen,
    adminSocket: join(directory, 'admin.sock'),
    logSocket,
    openKeyPair: (sealed) => Buffer.from(sealed, 'base64').toString(),
  };
}

export async function writeServing(directory: string, serving: Serving): Promise<string> {
  const files = new Map(serving.files);
  for (const [name, map] of serving.maps)
    files.set(name, [...map].map(([key, value]) => `${key} ${value}\n`).join(''));
  files.set('haproxy.cfg', renderConfig(serving));
  for (const [name, text] of files) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return join(directory, 'haproxy.cfg');
}

/** What `haproxy -c` warns of or refuses in it; '' = nothing. */
export async function checkServing(serving: Serving): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'cluster-haproxy-'));
  try {
    const config = await writeServing(directory, serving);
    const { status, stderr } = spawnSync('haproxy', ['-c', '-f', config], {
      encoding: 'utf8',
      env: { PATH },
    });
    const words = stderr.split('\n').filter((line) => /ALERT|WARNING/.test(line));
    return status === 0 && words.length === 0 ? '' : words.join('\n') || `exit code ${status}`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export interface RunningHaproxy {
  readonly directory: string;
  /** Answer to a line on the worker's command socket. */
  command(line: string): Promise<string>;
  stop(): Promise<void>;
}

/** A real HAProxy that serves this. `build` gets the run directory. */
export async function runHaproxy(build: (directory: string) => Serving): Promise<RunningHaproxy> {
  const directory = await mkdtemp(join(tmpdir(), 'cluster-haproxy-'));
  const config = await writeServing(directory, build(directory));
  const child: ChildProcess = spawn('haproxy', ['-db', '-f', config], { env: { PATH }, stdio: 'pipe' });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part) => (said += part));
  const command = (line: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let answer = '';
      connect(join(directory, 'admin.sock'))
        .on('error', reject)
        .on('data', (part) => (answer += part))
        .on('end', () => resolve(answer))
        .end(`${line}\n`);
    });
  for (const until = Date.now() + 10_000; ; await sleep(10)) {
    if (child.exitCode !== null || Date.now() > until) throw new Error(`haproxy did not start:\n${said}`);
    if (await command('show info').catch(() => null)) break;
  }
  return {
    directory,
    command,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
  /** Sends the body in chunks, without its length. */
  readonly chunked?: boolean;
  /** On a connection of its own. */
  readonly fresh?: boolean;
}

const agent = new Agent({ keepAlive: true });

/** One request, as given: nothing but a Host is added where it has none. */
export function ask(port: number, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', path = '/', body = '', chunked = false, fresh = false } = asking;
  const length = body === '' || chunked ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const headers = {
    host: 'gateway.test',
    ...asking.headers,
    ...length,
    ...(chunked && { 'transfer-encoding': 'chunked' }),
  };
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      { host: '127.0.0.1', port, method, path, headers, agent: fresh ? false : agent, setHost: false },
      (got) => {
        let text = '';
        got.setEncoding('utf8');
        got.on('data', (part) => (text += part));
        got.on('error', reject);
        got.on('end', () => resolve({ status: got.statusCode ?? 0, headers: got.headers, body: text }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
