import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const QUIET_MS = 1000;

/** One line of the table. `floor` null: nothing else answers the same question here. */
export interface Figure {
  readonly figure: string;
  readonly unit: 'us' | 'ms' | 'MB' | 'count';
  readonly ours: number;
  readonly floor: number | null;
  /** The way on which it was measured: which store, held connections or logging in. */
  readonly path?: string;
  /** What the floor is, where the figure's name does not say it. */
  readonly beside?: string;
  /** The most that is allowed: times the floor, or, without a floor, in `unit`. */
  readonly aim: number | null;
}

interface Ran {
  readonly ms: number;
  readonly stdout: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: Buffer;
}

export const ENTRY = fileURLToPath(new URL('../bin/run.js', import.meta.url));

/** Runs a program to its end; throws with its output where it fails. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(command, args, { cwd: options.cwd, env: options.env ?? process.env });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const ms = performance.now() - start;
      const stdout = Buffer.concat(out).toString();
      if (code === 0) return resolve({ ms, stdout });
      const said = `${stdout.slice(-1500)}${Buffer.concat(err).toString().slice(-1500)}`;
      reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${said}`));
    });
  });
}

/** `cluster` as a whole process, on a store of its own in `dir`, with these settings and none of the caller's. */
export function cluster(
  dir: string,
  args: readonly string[],
  settings: NodeJS.ProcessEnv = {},
): Promise<Ran> {
  const clean = Object.entries(process.env).filter(([key]) => !key.startsWith('CLUSTER_'));
  const env = { ...Object.fromEntries(clean), CLUSTER_DATA_DIR: `${dir}/store` };
  return run(process.execPath, [ENTRY, ...args], {
    cwd: dir,
    env: { ...env, ...settings },
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.length / 2;
  return ((sorted[Math.ceil(at) - 1] ?? 0) + (sorted[Math.floor(at)] ?? 0)) / 2;
}

/** Machines still clear away logins and processes of what ran before; that is not this measurement's time. */
async function quiet(measure: () => Promise<number>): Promise<number> {
  await sleep(QUIET_MS);
  return await measure();
}

/**
 * Measures several things in turn, every second time in the opposite order, so that what else the computer does hits all
 * of them; returns their medians.
 */
export async function inTurn<Name extends string>(
  runs: number,
  measures: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number>> {
  const names = Object.keys(measures) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let i = 0; i < runs; i++)
    for (const name of i % 2 === 0 ? names : names.toReversed())
      taken[name].push(await quiet(measures[name]));
  return Object.fromEntries(names.map((name) => [name, median(taken[name])])) as Record<Name, number>;
}

/** The least that a command of ours can take: Node itself. */
export const emptyNode = async (): Promise<number> => (await run(process.execPath, ['-e', '0'])).ms;

/** Runs `work`, then `end` whatever happened; where both fail, both are told, the cause first. */
export async function withEnd<T>(work: () => Promise<T>, end: () => Promise<unknown>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const after = await end().then(
      () => '',
      (second: unknown) => `\nand then: ${second}`,
    );
    throw new Error(`${error instanceof Error ? error.message : error}${after}`);
  }
  await end();
  return result;
}
