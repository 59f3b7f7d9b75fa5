import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { PairStream } from '../pair.ts';
import {
  ChannelRefused,
  type CommandEnd,
  type InteractiveStreams,
  type RemoteCommand,
  type StreamPlace,
  type Transport,
} from '../transport.ts';
import { clientArgs } from './config.ts';
import { removePlace } from './place.ts';

/** ssh ends with this code for reasons of its own, and a command may. */
const SSH_FAILED = 255;
/** A client that has not said by then whether its channel was opened is taken to be open: its words may have changed. */
const SILENCE_MS = 10_000;
/** A host name for processes that only ask the first one; it is not looked up. */
const NOBODY = 'cluster';

/**
 * A connection that the system's OpenSSH client holds (ControlMaster). Each command and stream is a client process of
 * it; each such process says in a log of its own whether its channel was opened and how the command ended.
 */
export class OpenSshTransport implements Transport {
  readonly kind = 'openssh';
  readonly gone: Promise<void>;
  readonly #directory: string;
  readonly #control: string;
  /** While it is open the first process lives, and when that process ends it closes. */
  readonly #line: Socket;
  readonly #sockets = new Map<string, Promise<string>>();
  #next = 0;
  #closed = false;

  /** `directory` holds the control socket `control` of a process that is logged in; it is removed in the end. */
  constructor(directory: string, control: string) {
    this.#directory = directory;
    this.#control = control;
    this.#line = connect(control);
    this.#line.on('error', () => undefined).resume();
    this.gone = new Promise((resolve) => {
      this.#line.once('close', () => {
        if (!this.#closed) removePlace(directory);
        resolve();
      });
    });
  }

  async run(command: string): Promise<RemoteCommand> {
    const { child, log } = this.#client(['-T', '-a', '--', NOBODY, command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const ended = this.#endOf(child, log);
    await this.#opened(child, log);
    return { ...pipes(child), ended, stop: () => void child.kill() };
  }

  async stream(to: StreamPlace): Promise<Duplex> {
    if ('path' in to) return await this.#socketStream(to.path);
    const host = to.host.includes(':') ? `[${to.host}]` : to.host;
    const { child, log } = this.#client(['-W', `${host}:${to.port}`, '--', NOBODY], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    });
    child.once('close', () => rmSync(log, { force: true }));
    await this.#opened(child, log);
    const { stdin, stdout } = pipes(child);
    const stream = new PairStream(stdout, stdin);
    stream.once('close', () => child.kill());
    return stream;
  }

  async interactive(command: string | null, streams: InteractiveStreams): Promise<number> {
    const { stdin, stdout, stderr, forwardAgent = false } = streams;
    const terminal = stdin.isTTY === true && stdout.isTTY === true;
    const args = [terminal ? '-tt' : '-T', forwardAgent ? '-A' : '-a', '--', NOBODY];
    const { child, log } = this.#client([...args, ...(command === null ? [] : [command])], {
      stdio: [stdin, stdout, stderr],
    });
    const ended = this.#endOf(child, log);
    await this.#opened(child, log);
    const end = await ended;
    if (end === null) throw new Error('the connection was lost');
    return end.code;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const end = spawn('ssh', ['-F', '/dev/null', '-S', this.#control, '-O', 'exit', '--', NOBODY], {
      stdio: 'ignore',
    });
    const remove = () => {
      this.#line.destroy();
      removePlace(this.#directory);
    };
    end.once('error', remove);
    end.once('exit', remove);
  }

  #client(args: readonly string[], options: SpawnOptions): { child: ChildProcess; log: string } {
    if (this.#closed || this.#line.destroyed) throw new Error('the connection was lost');
    const log = join(this.#directory, `${this.#next++}.log`);
    writeFileSync(log, '', { mode: 0o600 });
    const child = spawn('ssh', [...clientArgs(this.#control, log), ...args], options);
    child.on('error', () => undefined);
    return { child, log };
  }

  /** Resolves when the channel of a client process is open. @throws ChannelRefused, or when the connection is lost. */
  #opened(child: ChildProcess, log: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher = watch(log, () => look());
      const timer = setTimeout(() => settle(resolve), SILENCE_MS);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        watcher.close();
        child.off('exit', ended);
        then();
      };
      const look = (): boolean => {
        const text = readLog(log);
        if (/master session id: \d+/.test(text)) settle(resolve);
        else if (/request failed: /.test(text)) settle(() => reject(new ChannelRefused(refusal(text))));
        else return false;
        return true;
      };
      const ended = () => {
        if (!look()) settle(() => reject(new Error('the connection was lost')));
      };
      watcher.on('error', () => undefined);
      child.once('exit', ended);
      child.once('error', (error) => settle(() => reject(error)));
      look();
    });
  }

  #endOf(child: ChildProcess, log: string): Promise<CommandEnd | null> {
    return new Promise((resolve) => {
      child.once('error', () => resolve(null));
      child.once('close', (code: number | null) => {
        const text = readLog(log);
        rmSync(log, { force: true });
        const isLost =
          code === null || (code === SSH_FAILED && !/Received exit status from master/.test(text));
        resolve(isLost ? null : { code });
      });
    });
  }

  async #socketStream(path: string): Promise<Duplex> {
    let local = this.#sockets.get(path);
    if (local === undefined) {
      local = this.#forward(path);
      this.#sockets.set(path, local);
      local.catch(() => this.#sockets.delete(path));
    }
    const socket = connect(await local);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => reject(new ChannelRefused(error.message, { cause: error })));
      socket.once('connect', resolve);
    });
    socket.on('error', () => undefined);
    return socket;
  }

  /** Asks the first process to listen on a socket of ours for one of the machine's. */
  #forward(path: string): Promise<string> {
    const local = join(this.#directory, `${this.#next++}.sock`);
    const forward = ['-F', '/dev/null', '-S', this.#control, '-O', 'forward', '-L', `${local}:${path}`];
    return new Promise((resolve, reject) => {
      const child = spawn('ssh', [...forward, '--', NOBODY], { stdio: 'ignore', detached: true });
      child.once('error', reject);
      child.once('exit', (code) => {
        if (code === 0) resolve(local);
        else reject(new ChannelRefused(`${path} cannot be forwarded`));
      });
    });
  }
}

function pipes({ stdin, stdout, stderr }: ChildProcess): Omit<RemoteCommand, 'ended' | 'stop'> {
  return { stdin: stdin!, stdout: stdout!, stderr: stderr! };
}

function readLog(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function refusal(log: string): string {
  return /request failed: (.*)/.exec(log)?.[1]?.trim() ?? 'sshd did not open the channel';
}
