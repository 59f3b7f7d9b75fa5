import { spawn } from 'node:child_process';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import { needPrivate } from '../../private-directory.ts';
import { ensureKeys } from './keys.ts';
import { forgetHollow, hollowUp, type LabMachine } from './lab.ts';

/** What the process of a hollow lab writes to `hollow.json`. */
export interface HollowState {
  readonly version: 1;
  readonly name: string;
  readonly pid: number;
  /** Distinguishes this process from a later one with the same pid. */
  readonly startTime: string;
  readonly machines: readonly LabMachine[];
}

export interface HollowProcessOptions {
  readonly name: string;
  readonly machines: number;
  readonly stateDir: string;
}

const READY_MS = 30_000;

/**
 * Starts a process of its own for a hollow lab and waits until its machines answer; one that runs already with as many
 * machines is left as it is. `argv` is what follows node on its command line, such as
 * `[process.argv[1], 'lab', 'hollow-serve', ...]`; that command must call `runHollowProcess`.
 */
export async function startHollowProcess(
  options: HollowProcessOptions & { argv: readonly string[]; onProgress: (line: string) => void },
): Promise<HollowState> {
  const { name, machines, stateDir, argv, onProgress } = options;
  await needPrivate(stateDir);
  const running = await hollowStatus(stateDir);
  // The machines that run know only the keys that they were started with.
  const same = running?.machines.length === machines && !(await ensureKeys(stateDir, onProgress)).fresh;
  if (running && same) return running;
  if (running) await hollowDown(stateDir);
  await rm(stateFile(stateDir), { force: true });
  // Here and not only in the process of its own, which has nobody to tell.
  await ensureKeys(stateDir, onProgress);
  const log = await open(join(stateDir, 'hollow.log'), 'w');
  const child = spawn(process.execPath, [...process.execArgv, ...argv], {
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  });
  let ended: string | null = null;
  child.on('error', (error) => {
    ended = error.message;
  });
  child.on('exit', (code, signal) => {
    ended = `exit ${signal ?? code}`;
  });
  try {
    for (const end = performance.now() + READY_MS; performance.now() < end && ended === null; ) {
      const state = await hollowStatus(stateDir);
      if (state) return state;
      await sleep(20);
    }
  } finally {
    child.unref();
    await log.close();
  }
  if (ended === null) child.kill();
  throw new ClusterError(
    'lab-failed',
    `the hollow lab ${name} did not start: ${ended ?? 'no answer in time'}`,
    {
      hint: `see ${join(stateDir, 'hollow.log')}`,
    },
  );
}

/** The body of the hidden command: serves the machines until SIGTERM or SIGINT. */
export async function runHollowProcess(options: HollowProcessOptions): Promise<void> {
  const { name, machines, stateDir } = options;
  const lab = await hollowUp({ name, machines, stateDir });
  const state: HollowState = {
    version: 1,
    name,
    pid: process.pid,
    startTime: await startTime(process.pid),
    machines: lab.machines,
  };
  const path = stateFile(stateDir);
  await writeFile(`${path}.new`, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
  await lab.close();
}

/** The state of the hollow lab, if its process is alive; null otherwise. */
export async function hollowStatus(stateDir: string): Promise<HollowState | null> {
  const text = await readFile(stateFile(stateDir), 'utf8').catch(() => null);
  if (text === null) return null;
  const state = parseState(text);
  if (!state || !(await isAlive(state))) return null;
  return state;
}

/** Ends the lab's process and removes what it wrote; false when none was running. */
export async function hollowDown(stateDir: string): Promise<boolean> {
  const state = await hollowStatus(stateDir);
  if (state) {
    process.kill(state.pid, 'SIGTERM');
    for (let i = 0; i < 150 && (await isAlive(state)); i++) await sleep(20);
    if (await isAlive(state)) process.kill(state.pid, 'SIGKILL');
  }
  await rm(stateFile(stateDir), { force: true });
  await rm(join(stateDir, 'hollow.log'), { force: true });
  await forgetHollow(stateDir);
  return state !== null;
}

function stateFile(stateDir: string): string {
  return join(stateDir, 'hollow.json');
}

function parseState(text: string): HollowState | null {
  try {
    const state = JSON.parse(text) as Partial<HollowState>;
    const whole = state.version === 1 && Number.isInteger(state.pid) && Array.isArray(state.machines);
    return whole ? (state as HollowState) : null;
  } catch {
    return null;
  }
}

async function isAlive(state: HollowState): Promise<boolean> {
  try {
    process.kill(state.pid, 0);
  } catch {
    return false;
  }
  return (await startTime(state.pid)) === state.startTime;
}

/** Start time from /proc, where there is one: a reused pid must not be taken for the lab, nor a zombie for alive. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return process.platform === 'linux' ? 'gone' : '';
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'gone' : (fields[19] ?? '');
}
