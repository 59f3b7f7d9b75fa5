import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';

export const root = join(import.meta.dirname, '..', '..');
/** Kept between runs, and nobody else's to make or read. */
export const data =
  process.env.CLUSTER_DATA_DIR ??
  join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'cluster-demo');

/** Where the registry is, once it has moved to the machines' etcd. */
export const endpointFile = join(data, 'endpoint');

/** What every command of the demo is run with; the talk adds the etcd's address once there is one. */
export const env: NodeJS.ProcessEnv = {
  ...process.env,
  CLUSTER_DATA_DIR: data,
  CLUSTER_LAB_NAME: process.env.CLUSTER_LAB_NAME ?? 'demo',
};

interface RunOptions {
  /** Show the command and what it prints. */
  readonly show?: boolean;
  /** File that it reads from. */
  readonly stdin?: string;
  /** An exit code other than 0 is fine. */
  readonly mayFail?: boolean;
}

/** Runs one command as a user would type it. @returns its output; ends the demo when it fails. */
export async function cluster(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { show = true, stdin, mayFail = false } = options;
  if (show) process.stdout.write(`\n${styleText('bold', `$ cluster ${args.map(shown).join(' ')}`)}\n`);
  const child = spawn(process.execPath, [join(root, 'bin', 'run.js'), ...args], {
    env,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', show ? 'inherit' : 'pipe'],
  });
  if (stdin !== undefined && child.stdin !== null) {
    child.stdin.on('error', () => undefined);
    createReadStream(stdin).pipe(child.stdin);
  }
  let out = '';
  let err = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    if (show) process.stdout.write(chunk);
  });
  child.stderr?.on('data', (chunk: Buffer) => {
    err += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0 && !mayFail) end(`cluster ${args.join(' ')} ended with exit code ${code}\n${err}`);
  return out;
}

function shown(arg: string): string {
  const short = arg.startsWith(root) ? arg.slice(root.length + 1) : arg;
  return /[^\w@%+=:,./-]/.test(short) ? `'${short}'` : short;
}

/** Ends the demo with the reason. */
export function end(reason: string): never {
  process.stderr.write(`\nThe demo stopped: ${reason}\n`);
  process.exit(1);
}

export function say(text: string): void {
  process.stdout.write(`\n${styleText('cyan', text)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until the answer is not undefined; ends the demo when that takes longer than `seconds`. */
export async function until<Value>(
  what: string,
  seconds: number,
  ask: () => Promise<Value | undefined>,
): Promise<Value> {
  for (const last = Date.now() + seconds * 1000; Date.now() < last; await pause(100)) {
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
  }
  return end(`${what} did not happen within ${seconds} s`);
}
