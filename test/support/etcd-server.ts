import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './port.ts';

export interface EtcdServer {
  readonly port: number;
  readonly endpoint: string;
  /** kill -9, as a power cut would. */
  kill(): Promise<void>;
  /** Again on the same port and data. */
  start(): Promise<void>;
  /** Its data is lost: it begins anew on the same port, with the same cluster id. */
  wipe(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
  etcdctl(...args: string[]): string;
}

export interface EtcdTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

function has(binary: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${binary}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function ensureInstalled(): void {
  if (has('etcd') && has('etcdctl')) return;
  if (process.getuid?.() !== 0 || !has('apt-get')) {
    throw new Error('the contract tests need etcd and etcdctl: apt-get install etcd-server etcd-client');
  }
  // The package starts a server of its own on 2379 otherwise.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  execFileSync('apt-get', ['update', '-q'], { stdio: 'ignore', env });
  execFileSync('apt-get', ['install', '-y', '-q', 'etcd-server', 'etcd-client'], { stdio: 'ignore', env });
}

async function listening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  for (const until = Date.now() + 15_000; Date.now() < until; await sleep(20)) {
    if (child.exitCode !== null) break;
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
  }
  throw new Error(`etcd did not start:\n${log().slice(-2000)}`);
}

/** Starts a real etcd of our own: one member, loopback, its data in a temporary directory. */
export async function startEtcd(tls?: EtcdTls): Promise<EtcdServer> {
  ensureInstalled();
  const directory = await mkdtemp(join(tmpdir(), 'cluster-etcd-'));
  const [port, peer] = [await freePort(), await freePort()];
  const endpoint = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  let output = '';

  const start = async (): Promise<void> => {
    const args = [
      '--data-dir',
      join(directory, 'data'),
      '--name',
      'test',
      '--logger',
      'zap',
      '--unsafe-no-fsync',
    ];
    args.push('--listen-client-urls', endpoint, '--advertise-client-urls', endpoint);
    args.push('--listen-peer-urls', `http://127.0.0.1:${peer}`);
    args.push('--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`);
    args.push('--initial-cluster', `test=http://127.0.0.1:${peer}`);
    if (tls)
      args.push(
        '--trusted-ca-file',
        tls.ca,
        '--cert-file',
        tls.cert,
        '--key-file',
        tls.key,
        '--client-cert-auth',
      );
    if (!unsafeNoFsync()) args.splice(args.indexOf('--unsafe-no-fsync'), 1);
    const running = spawn('etcd', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child = running;
    for (const stream of [running.stdout, running.stderr]) stream.on('data', (part) => (output += part));
    await listening(port, running, () => output);
  };
  const kill = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGKILL');
    await gone;
  };
  await start();
  return {
    port,
    endpoint,
    start,
    kill,
    wipe: async () => {
      await kill();
      await rm(join(directory, 'data'), { recursive: true });
      await start();
    },
    stop: async () => {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
    etcdctl: (...args) =>
      execFileSync('etcdctl', ['--endpoints', endpoint, ...args], {
        encoding: 'utf8',
        env: { ...process.env, ETCDCTL_API: '3' },
      }),
  };
}

let noFsync: boolean | undefined;
function unsafeNoFsync(): boolean {
  noFsync ??= execFileSync('etcd', ['--help'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).includes('unsafe-no-fsync');
  return noFsync;
}
