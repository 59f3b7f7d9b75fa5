import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';

/** What `cluster` is when it is typed. */
export const ENTRY = join(import.meta.dirname, '..', '..', 'bin', 'run.js');

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams;
  /** All that it has written so far, to either stream. */
  readonly log: () => string;
  /** Its exit code, as soon as it is gone; what it started may still hold its streams. */
  readonly ended: Promise<number | null>;
  /** How it went, once nobody can write any more. */
  readonly ran: Promise<Ran>;
}

/** A user's place to work in: a folder with files, a store of its own, and the real command line. */
export interface Workplace {
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  run(...args: string[]): Promise<Ran>;
  /** Runs what must end with exit code 0. */
  ok(...args: string[]): Promise<Ran>;
  /** Starts what is not waited for. */
  start(...args: string[]): Running;
  file(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

export async function workplace(extra: NodeJS.ProcessEnv = {}): Promise<Workplace> {
  const dir = await mkdtemp(join(tmpdir(), 'cluster-test-'));
  const env = { PATH: process.env.PATH, HOME: dir, CLUSTER_DATA_DIR: join(dir, 'store'), ...extra };
  const run = (...args: string[]): Promise<Ran> => runCli(args, dir, env);
  return {
    dir,
    env,
    run,
    ok: async (...args) => {
      const ran = await run(...args);
      expect(ran, ran.stderr).toMatchObject({ code: 0 });
      return ran;
    },
    start: (...args) => startCli(args, dir, env),
    file: async (name, text) => {
      await writeFile(join(dir, name), text);
      return join(dir, name);
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  };
}

export const runCli = (
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  stdin?: string,
): Promise<Ran> => startCli(args, cwd, env, stdin).ran;

/** Nothing is piped in unless `stdin` says what. */
export function startCli(
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  stdin?: string,
): Running {
  const child = spawn(process.execPath, [ENTRY, ...args], { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const said = { stdout: '', stderr: '', log: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      said[name] += chunk.toString();
      said.log += chunk.toString();
    });
  return {
    child,
    log: () => said.log,
    ended: new Promise((resolve) => child.once('exit', resolve)),
    ran: new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ code, stdout: said.stdout, stderr: said.stderr }));
    }),
  };
}
