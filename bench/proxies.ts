import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { ENTRY, run } from './proc.ts';

export const HOST = 'app.example.test';
export const PORTS = {
  servers: [28_101, 28_102, 28_103, 28_104],
  plain: 28_110,
  alike: 28_113,
  gateway: 28_111,
  admin: 28_112,
};

export function start(
  running: ChildProcess[],
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): ChildProcess {
  const path = `${process.env.PATH}:/usr/sbin`;
  // A session of its own, as the gateway's HAProxy has: Linux shares processor time between sessions.
  const child = spawn(command, args, {
    stdio: 'ignore',
    detached: true,
    env: { ...process.env, PATH: path, ...env },
  });
  running.push(child);
  return child;
}

export async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([gone, sleep(5000)]);
}

export interface Status {
  readonly proxy: { readonly pid: number | null; readonly reloads: number };
}

export async function gatewayStatus(): Promise<Status> {
  return (await (await fetch(`http://127.0.0.1:${PORTS.admin}/v1/status`)).json()) as Status;
}

/** A gateway's HAProxy answers a moment before the gateway tells its process. */
export async function proxyPid(): Promise<number> {
  for (const until = Date.now() + 15_000; Date.now() < until; await sleep(50)) {
    const { pid } = (await gatewayStatus()).proxy;
    if (pid !== null) return pid;
  }
  throw new Error('the gateway does not tell the process of HAProxy');
}

export function startGateway(dir: string, running: ChildProcess[], data: string): ChildProcess {
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

export interface Sample {
  /** Of wall clock for each answer: one million over the throughput. */
  readonly us: number;
  /** Milliseconds. */
  readonly p99: number;
  /** Processor time of the process that was named, for each answer. */
  readonly cpuUs: number;
}

/** A load of this many seconds; `pid` is the process whose processor time counts. */
export async function load(port: number, pid?: number, seconds = 3): Promise<Sample> {
  const before = pid === undefined ? 0 : processorMs(pid);
  const duration = `-d${seconds}s`;
  const args = ['-t1', '-c32', duration, '--latency', '-H', `Host: ${HOST}`, `http://127.0.0.1:${port}/`];
  const { stdout } = await run('wrk', args);
  const [, rate = 'x'] = /Requests\/sec:\s+([\d.]+)/.exec(stdout) ?? [];
  const [, p99 = 'x', unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk on ${port}: ${stdout}`);
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit] ?? Number.NaN;
  const [, answers = 'x'] = /(\d+) requests in/.exec(stdout) ?? [];
  const cpuUs = pid === undefined ? Number.NaN : (1000 * (processorMs(pid) - before)) / Number(answers);
  return { us: 1e6 / Number(rate), p99: Number(p99) * factor, cpuUs };
}

/** Returns when something answers there. */
export async function answering(port: number): Promise<void> {
  for (const until = Date.now() + 15_000; Date.now() < until; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { host: HOST } }).catch(
      () => undefined,
    );
    await answer?.text();
    if (answer !== undefined) return;
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** Of the process and its children: HAProxy's work is done by a worker. */
export function residentMb(pid: number): number {
  const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  return own + childrenOf(pid).reduce((sum, child) => sum + residentMb(child), 0);
}

/** Processor time that the threads of a process and of its children have used so far; Linux counts nanoseconds. */
function processorMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((task) =>
    Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]),
  );
  const own = threads.reduce((sum, ns) => sum + ns, 0) / 1e6;
  return own + childrenOf(pid).reduce((sum, child) => sum + processorMs(child), 0);
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text.split(' ').filter(Boolean).map(Number);
}
