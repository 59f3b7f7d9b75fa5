import { type Duplex, Readable } from 'node:stream';
import type { Client, ClientChannel, ExecOptions } from 'ssh2';
import { ClusterError, EXIT } from '../../error.ts';
import { quote } from '../../shell-words.ts';
import { sudoRefused, unreachable } from '../errors.ts';
import type { ExecResult, Machine, MachineTarget } from '../port.ts';
import { Limit } from './limit.ts';

/** sshd's MaxSessions is 10 by default; two are left for others that share the connection. */
const MAX_SESSIONS = 8;

type ExecChoices = NonNullable<Parameters<Machine['exec']>[1]>;

/** The channels of one connection: commands, raw streams; counts sessions, knows when sudo is needed. */
export class Session {
  readonly client: Client;
  readonly target: MachineTarget;
  readonly #sessions = new Limit(MAX_SESSIONS);
  #over = false;

  constructor(client: Client, target: MachineTarget) {
    this.client = client;
    this.target = target;
    client.once('close', () => {
      this.#over = true;
    });
  }

  /** argv as it is run: with `sudo -n` in front where the login is not root. */
  command(argv: readonly string[], sudo: boolean): string {
    return quote(sudo && this.needsSudo ? ['sudo', '-n', '--', ...argv] : argv);
  }

  get needsSudo(): boolean {
    return this.target.user !== 'root';
  }

  /** Opens a session channel that runs a command; it holds one of the sessions until it closes. */
  async channel(
    command: string,
    options: ExecOptions = {},
    opened?: (channel: ClientChannel) => void,
  ): Promise<ClientChannel> {
    return await this.hold((done) => this.client.exec(command, options, done), opened);
  }

  /** A session channel, by `exec` or `shell` of ssh2; `opened` hears of it before anything can come through it. */
  async hold(
    open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
    opened?: (channel: ClientChannel) => void,
  ): Promise<ClientChannel> {
    const release = await this.#sessions.take();
    try {
      const channel = await this.#ask<ClientChannel>(open, (made) => {
        made.once('close', release);
        opened?.(made);
      });
      return channel;
    } catch (error) {
      release();
      throw error;
    }
  }

  async exec(argv: readonly string[], choices: ExecChoices = {}): Promise<ExecResult> {
    const { sudo = false, signal } = choices;
    signal?.throwIfAborted();
    // A quick command's exit can stand in the same packet as its start: who listens a moment later misses it.
    let ended: Promise<ExecResult> | undefined;
    await this.channel(this.command(argv, sudo), {}, (channel) => {
      ended = this.#collect(channel, choices);
    });
    const result = await (ended as unknown as Promise<ExecResult>);
    if (sudo && this.needsSudo && result.code !== 0 && /sudo/.test(result.stderr)) await this.checkSudo();
    return result;
  }

  /** A stream of the connection that is no session. */
  async stream(to: { host: string; port: number } | { path: string }): Promise<Duplex> {
    return await this.#ask<ClientChannel>((done) => {
      if ('path' in to) this.client.openssh_forwardOutStreamLocal(to.path, done);
      else this.client.forwardOut('127.0.0.1', 0, to.host, to.port, done);
    });
  }

  /** Throws `sudo-refused` when sudo would not run anything. */
  async checkSudo(): Promise<void> {
    if (!this.needsSudo) return;
    const { code } = await this.exec(['sudo', '-n', 'true']);
    if (code !== 0) throw sudoRefused(this.target);
  }

  lost(cause?: unknown): ClusterError {
    return unreachable(this.target, 'the connection was lost', cause);
  }

  async #ask<T>(
    open: (done: (error: Error | undefined, value: T) => void) => void,
    opened?: (value: T) => void,
  ): Promise<T> {
    if (this.#over) throw this.lost();
    return await new Promise<T>((resolve, reject) => {
      const ended = () => reject(this.lost());
      this.client.once('close', ended);
      try {
        open((error, value) => {
          this.client.off('close', ended);
          if (error) reject(error);
          else {
            opened?.(value);
            resolve(value);
          }
        });
      } catch (error) {
        this.client.off('close', ended);
        reject(this.lost(error));
      }
    });
  }

  #collect(channel: ClientChannel, { stdin, signal, onStdout }: ExecChoices): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      let exit: { code: number; signal: string | null } | undefined;
      const stop = () => {
        reject(
          new ClusterError('interrupted', 'interrupted', {
            machine: this.target.address,
            exit: EXIT.interrupted,
          }),
        );
        channel.signal('TERM');
        channel.close();
      };
      signal?.addEventListener('abort', stop, { once: true });
      channel.on('data', onStdout ?? ((chunk: Buffer) => out.push(chunk)));
      channel.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      channel.on('exit', (code: number | null, name?: string) => {
        exit = { code: code ?? exitOfSignal(name), signal: name ?? null };
      });
      // A command that does not read its stdin closes it early: that is its own business.
      channel.on('error', () => undefined);
      channel.on('close', () => {
        signal?.removeEventListener('abort', stop);
        if (stdin instanceof Readable) stdin.destroy();
        if (!exit) return reject(this.lost());
        resolve({ ...exit, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
      });
      if (stdin instanceof Readable) stdin.pipe(channel);
      else channel.end(stdin);
      if (signal?.aborted) stop();
    });
  }
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};

/** A shell's exit code of a command that a signal ended. */
export function exitOfSignal(name: string | undefined): number {
  return 128 + (SIGNALS[name ?? ''] ?? 0);
}
