import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ClusterError } from '../../error.ts';

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
  readonly timeoutMs?: number;
}

/** The environment for the tools: sbin is on the path even in a plain user's shell after `su`. */
export function toolEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const path = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;
  return { ...process.env, LC_ALL: 'C.UTF-8', PATH: path.replace(/^:/, ''), ...extra };
}

/** Runs a program without a shell and never throws for its exit code; 127 = it is not there. */
export function run(command: string, argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve) => {
    const child = spawn(command, argv, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: toolEnvironment(options.env),
      ...(options.timeoutMs === undefined ? {} : { timeout: options.timeoutMs, killSignal: 'SIGKILL' }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    if (options.onLine !== undefined) {
      createInterface({ input: child.stdout }).on('line', options.onLine);
      createInterface({ input: child.stderr }).on('line', options.onLine);
    }
    child.on('error', (error) => resolve({ code: 127, stdout, stderr: `${stderr}${error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 137, stdout, stderr }));
  });
}

/** Runs a program that must succeed; its last line of output becomes the error. */
export async function must(
  command: string,
  argv: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const result = await run(command, argv, options);
  if (result.code === 0) return result.stdout;
  throw new ClusterError('lab-failed', `${command} ${argv.join(' ')}: ${lastWords(result)}`, {
    hint: 'run `cluster lab down`, then `cluster lab up` again',
  });
}

/** The last line that a failed program printed, else its exit code. */
export function lastWords(result: RunResult): string {
  const lines = `${result.stdout}\n${result.stderr}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim() ?? `exit status ${result.code}`;
}

/** Single-quotes a word for sh. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
