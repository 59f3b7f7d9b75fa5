import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../../error.ts';
import type { RunPaths } from './files.ts';
import { ask, type MasterState, readProcesses } from './socket.ts';

const STEP_MS = 10;
const START_MS = 10_000;
const RELOAD_MS = 20_000;

/** HAProxy's program and its master process in one run directory, whatever it serves. */
export class Haproxy {
  readonly binary: string;
  readonly paths: RunPaths;

  constructor(binary: string, paths: RunPaths) {
    this.binary = binary;
    this.paths = paths;
  }

  /** The master that runs in the run directory, whoever started it; null where none answers. */
  async state(): Promise<MasterState | null> {
    try {
      const [text = ''] = await ask(this.paths.master, ['show proc'], 2000);
      return readProcesses(text);
    } catch {
      return null;
    }
  }

  /** @throws ClusterError `haproxy-missing` where its program does not run. */
  probe(): Promise<void> {
    return new Promise((resolve, reject) => {
      execFile(this.binary, ['-v'], { timeout: 30_000 }, (error) => {
        if (error === null) resolve();
        else reject(this.#missing(error));
      });
    });
  }

  /** @throws ClusterError `haproxy-config` with HAProxy's first alert about the configuration on disk. */
  async check(): Promise<void> {
    const refusal = await new Promise<string | null>((resolve, reject) => {
      execFile(
        this.binary,
        ['-c', '-f', this.paths.config],
        { cwd: this.paths.directory, timeout: 30_000, maxBuffer: 1 << 24 },
        (error, stdout, stderr) => {
          if (error === null) resolve(null);
          else if (typeof error.code === 'number') resolve(`${stdout}${stderr}`);
          else reject(this.#missing(error));
        },
      );
    });
    if (refusal === null) return;
    throw new ClusterError('haproxy-config', `HAProxy refuses the configuration: ${firstAlert(refusal)}`, {
      hint: `haproxy -c -f ${this.paths.config}`,
      file: this.paths.config,
    });
  }

  /**
   * Starts it in a process group and session of its own: it outlives this process. Returns once its worker answers.
   * `ended` is called when it ends, if this process still lives then.
   * @throws ClusterError `haproxy-start` with HAProxy's first alert.
   */
  async start(ended: () => void): Promise<MasterState> {
    await mkdir(this.paths.directory, { recursive: true, mode: 0o700 });
    // Under systemd its output goes to the journal; a pipe to this process would break when this process ends.
    const file = process.env.JOURNAL_STREAM === undefined ? await open(this.paths.log, 'w', 0o600) : null;
    const { NOTIFY_SOCKET: _, ...env } = process.env;
    const output = file?.fd ?? 'inherit';
    const child = spawn(this.binary, ['-W', '-S', `${this.paths.master},mode,600`, '-f', this.paths.config], {
      cwd: this.paths.directory,
      detached: true,
      stdio: ['ignore', output, output],
      env,
    });
    let over: string | null = null;
    child.once('error', (error) => {
      over = this.#missing(error).message;
    });
    child.once('exit', (code, signal) => {
      over ??= `it ended with ${signal ?? `exit code ${code}`}`;
      ended();
    });
    child.unref();
    await file?.close();
    for (const until = performance.now() + START_MS; performance.now() < until; await sleep(STEP_MS)) {
      if (over !== null) break;
      const state = await this.state();
      if (state !== null && state.pid === child.pid && (await this.answers(state))) return state;
    }
    if (over === null) child.kill('SIGKILL');
    const words = file === null ? '' : await readFile(this.paths.log, 'utf8').catch(() => '');
    const why = words === '' ? '' : `: ${firstAlert(words)}`;
    const bound = /cannot bind socket.*:(\d+)\]/.exec(why)?.[1];
    throw new ClusterError('haproxy-start', `HAProxy does not start, ${over ?? 'it does not answer'}${why}`, {
      hint:
        bound === undefined
          ? 'journalctl -u gateway.service shows its output'
          : `ss -ltnp 'sport = :${bound}' shows who listens there`,
    });
  }

  /**
   * Loads the configuration on disk into a new worker, which takes over the listening sockets; the old one ends with its
   * last connection. @throws ClusterError `haproxy-reload` when the old worker is still the one that serves.
   */
  async reload(): Promise<MasterState> {
    const before = await this.state();
    if (before === null) throw this.#failed('its master process does not answer');
    // The master restarts itself and drops the connection without an answer.
    await ask(this.paths.master, ['reload'], 2000).catch(() => undefined);
    for (const until = performance.now() + RELOAD_MS; performance.now() < until; await sleep(STEP_MS)) {
      const state = await this.state();
      if (state === null) {
        if (!isAlive(before.pid)) throw this.#failed('it ended');
        continue;
      }
      if (state.reloads === before.reloads && state.worker?.pid === before.worker?.pid) continue;
      if (state.failed > 0) throw this.#failed('the new worker did not start');
      if (state.worker?.reloads !== 0 || !(await this.answers(state))) continue;
      if (await this.#haveStopped(state.old)) return state;
    }
    throw this.#failed(`it took longer than ${RELOAD_MS / 1000} s`);
  }

  /** No new connections; it ends with its last one, which this does not wait for. */
  async stop(): Promise<void> {
    const state = await this.state();
    if (state === null) return;
    try {
      process.kill(state.pid, 'SIGUSR1');
    } catch {
      // It has ended meanwhile.
    }
  }

  /** Resolves when the master is gone; for a master that is not a child of this process. */
  async gone(pid: number): Promise<void> {
    while (isAlive(pid)) {
      // The connection ends at once with the process, and also when the master restarts itself.
      const held = await new Promise<boolean>((resolve) => {
        let open = false;
        const socket = connect(this.paths.master);
        socket.on('connect', () => {
          open = true;
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve(open));
        socket.resume();
        socket.unref();
      });
      await sleep(held ? STEP_MS : 100, undefined, { ref: false });
    }
  }

  /** Whether its worker takes commands: one that only finishes its last requests does not. */
  async answers(state: MasterState): Promise<boolean> {
    try {
      const [info = ''] = await ask(this.paths.admin, ['show info'], 1000);
      return state.worker !== null && info.includes(`\nPid: ${state.worker.pid}\n`);
    } catch {
      return false;
    }
  }

  /** Whether workers of earlier configurations have stopped taking new connections. */
  async #haveStopped(pids: readonly number[]): Promise<boolean> {
    const stopped = await Promise.all(
      pids.map(async (pid) => {
        try {
          const [info = ''] = await ask(this.paths.master, [`@!${pid} show info`], 1000);
          return /^Stopping: 1$/m.test(info);
        } catch {
          return true;
        }
      }),
    );
    return !stopped.includes(false);
  }

  #missing(error: NodeJS.ErrnoException | Error): ClusterError {
    const code = 'code' in error ? error.code : undefined;
    return new ClusterError('haproxy-missing', `cannot run ${this.binary}: ${code ?? error.message}`, {
      hint: 'apt-get install haproxy, or name it with --haproxy',
    });
  }

  #failed(why: string): ClusterError {
    return new ClusterError('haproxy-reload', `HAProxy did not take the new configuration: ${why}`, {
      hint: 'what was served before is still served; journalctl -u gateway.service shows its output',
    });
  }
}

/** The alert in HAProxy's output that names the fault. */
export function firstAlert(output: string): string {
  const alerts = output
    .split('\n')
    .filter((line) => line.includes('[ALERT]'))
    .map((line) => line.replace(/^\[ALERT\]\s*\(\d+\)\s*:\s*/, '').trim());
  return alerts[0] ?? output.trim().split('\n').at(-1) ?? '';
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // Not a zombie, which is dead but still has a process id.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}
