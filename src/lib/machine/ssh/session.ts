import { constants } from 'node:os';
import { type Duplex, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError, EXIT } from '../../error.ts';
import { noSession, shellUnusable, sudoRefused, unreachable } from '../errors.ts';
import type { ExecResult, Machine, MachineTarget } from '../port.ts';
import { FramedOutput, frame, MARK } from './frame.ts';
import { Limit } from './limit.ts';
import { PairStream } from './pair.ts';
import { sudoRefusal } from './sudo.ts';
import {
  ChannelRefused,
  type CommandEnd,
  type InteractiveStreams,
  type RemoteCommand,
  type StreamPlace,
  type Transport,
} from './transport.ts';

/** sshd's MaxSessions is 10 by default; two are left for others that share the connection. */
const MAX_SESSIONS = 8;
/** How long a command waits for another one to end where sshd opens no more sessions, before it connects once more. */
const PATIENCE_MS = 1000;
/** sshd frees a session a moment after its command has ended. */
const FREED_MS = 300;
const RETRY_MS = 50;
/** How long nothing of ours may run, on two connections, until sshd is taken to open no session at all. */
const NONE_MS = 3000;
/** More than any rc file prints before it is clear that what answers is not our command. */
const MOST_NOISE = 64 * 1024;

/** A command whose two ends are one stream. */
export interface Bridge {
  readonly stream: Duplex;
  /** Its error output so far. */
  readonly said: () => string;
  readonly ended: Promise<CommandEnd | null>;
}

type ExecChoices = NonNullable<Parameters<Machine['exec']>[1]>;

/** The channels of one machine's connection: commands, raw streams; counts sessions, knows when sudo is needed. */
export class Session {
  readonly target: MachineTarget;
  readonly #transport: Transport;
  readonly #dialMore: () => Promise<Transport>;
  readonly #sessions = new Limit(MAX_SESSIONS);
  readonly #running = new Set<Promise<unknown>>();
  #spare: Promise<Transport> | undefined;
  #over = false;

  /** `dialMore` makes a further connection to the same machine, for an sshd whose only session is taken. */
  constructor(transport: Transport, target: MachineTarget, dialMore: () => Promise<Transport>) {
    this.#transport = transport;
    this.target = target;
    this.#dialMore = dialMore;
    void transport.gone.then(() => {
      this.#over = true;
    });
  }

  get needsSudo(): boolean {
    return this.target.user !== 'root';
  }

  /** Runs argv, with `sudo -n` in front where that is asked for and the login is not root. */
  async exec(argv: readonly string[], choices: ExecChoices = {}): Promise<ExecResult> {
    const { sudo = false, signal } = choices;
    signal?.throwIfAborted();
    const line = frame(this.#withSudo(argv, sudo));
    const release = await this.#sessions.take();
    try {
      const command = await this.#open((transport) => transport.run(line));
      const ended = this.#collect(command, choices);
      this.#running.add(ended);
      const result = await ended.finally(() => this.#running.delete(ended));
      release();
      if (sudo) await this.#checkSudo(result);
      return result;
    } finally {
      release();
    }
  }

  /** The two ends of a command as one stream, such as systemd-stdio-bridge; it holds a session until it closes. */
  async bridge(argv: readonly string[], sudo: boolean): Promise<Bridge> {
    const release = await this.#sessions.take();
    try {
      const command = await this.#open((transport) => transport.run(frame(this.#withSudo(argv, sudo))));
      void command.ended.finally(release);
      let said = '';
      const errors = new FramedOutput((chunk) => {
        said += chunk.toString();
      });
      command.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
      command.stdin.on('error', () => undefined);
      await this.#passMark(command);
      return { stream: oneStream(command), said: () => said, ended: command.ended };
    } catch (error) {
      release();
      throw error;
    }
  }

  /** A stream of the connection that is no session. @throws ChannelRefused. */
  async stream(to: StreamPlace): Promise<Duplex> {
    if (this.#over) throw this.lost();
    return await this.#transport.stream(to).catch((error: unknown) => {
      throw error instanceof ChannelRefused || error instanceof ClusterError ? error : this.lost(error);
    });
  }

  /** A command line for the login shell, or the shell itself, on the caller's streams. */
  async interactive(command: string | null, streams: InteractiveStreams): Promise<number> {
    const release = await this.#sessions.take();
    try {
      return await this.#open((transport) => transport.interactive(command, streams));
    } finally {
      release();
    }
  }

  /** Ends the further connection, if one was needed. */
  close(): void {
    this.#spare?.then(
      (spare) => spare.close(),
      () => undefined,
    );
  }

  lost(cause?: unknown): ClusterError {
    return unreachable(this.target, 'the connection was lost', cause);
  }

  /** Why sudo refused, where error output shows that it did. */
  async sudoError(stderr: string): Promise<ClusterError | null> {
    const refusal = this.needsSudo ? sudoRefusal(stderr) : null;
    if (refusal === null) return null;
    // It asks for a password, too, for a command that is not among the few that it allows without one.
    const isPartial = refusal === 'password' && (await this.#allowsSome());
    return sudoRefused(this.target, isPartial ? 'not-allowed' : refusal);
  }

  async #allowsSome(): Promise<boolean> {
    const { code, stdout } = await this.exec(['sudo', '-n', '-l']);
    return code === 0 && stdout.includes('NOPASSWD');
  }

  async #checkSudo({ code, stderr }: ExecResult): Promise<void> {
    const error = code === 0 ? null : await this.sudoError(stderr);
    if (error !== null) throw error;
  }

  #withSudo(argv: readonly string[], sudo: boolean): readonly string[] {
    return sudo && this.needsSudo ? ['sudo', '-n', '--', ...argv] : argv;
  }

  /**
   * sshd may allow fewer sessions than usual: then a command waits for one of ours to end. Where none ends soon, as the
   * bus or a followed journal holds the only session, one more connection is made.
   */
  async #open<T>(open: (transport: Transport) => Promise<T>): Promise<T> {
    let since = performance.now();
    for (;;) {
      const spare = this.#spare;
      const lanes = [this.#transport, ...(spare ? [await spare] : [])];
      for (const lane of lanes) {
        if (this.#over) throw this.lost();
        try {
          return await open(lane);
        } catch (error) {
          if (error instanceof ClusterError) throw error;
          if (!(error instanceof ChannelRefused)) throw this.lost(error);
        }
      }

      const others = [...this.#running].map((one) => one.catch(() => undefined));
      const alone = spare === undefined ? FREED_MS : NONE_MS;
      const patience = others.length > 0 ? PATIENCE_MS : alone;
      const retry = sleep(RETRY_MS);
      const late = sleep(Math.max(0, since + patience - performance.now()), 'late' as const, { ref: false });
      if (others.length > 0 && (await Promise.race([late, ...others])) !== 'late') since = performance.now();
      await retry;
      if (performance.now() < since + patience) continue;

      if (this.#spare === undefined) this.#spare = this.#dialMore();
      // Another command may have connected once more while this one waited, which has not tried that yet.
      else if (spare !== undefined && others.length === 0) throw noSession(this.target);
      since = performance.now();
    }
  }

  async #collect(command: RemoteCommand, { stdin, signal, onStdout }: ExecChoices): Promise<ExecResult> {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const stdout = new FramedOutput(onStdout ?? ((chunk) => out.push(chunk)));
    const stderr = new FramedOutput((chunk) => err.push(chunk));
    command.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    command.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    command.stdin.on('error', () => undefined);
    if (stdin instanceof Readable) stdin.pipe(command.stdin);
    else command.stdin.end(stdin);

    let stop: () => void = () => undefined;
    const aborted = new Promise<never>((_, reject) => {
      stop = () => {
        reject(interrupted(this.target));
        command.stop();
      };
    });
    signal?.addEventListener('abort', stop, { once: true });
    if (signal?.aborted) stop();
    const end = await Promise.race([command.ended, aborted]).finally(() => {
      signal?.removeEventListener('abort', stop);
      if (stdin instanceof Readable) stdin.destroy();
    });

    if (end === null) throw this.lost();
    if (!stdout.begun) throw shellUnusable(this.target, end.code, stderr.noise || stdout.noise);
    const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();
    return { code: end.code, signal: signalOf(end.code), stdout: text(out), stderr: text(err) };
  }

  /** Reads up to the end of the mark and no further: what follows belongs to whoever gets the stream. */
  async #passMark({ stdout, stderr, ended }: RemoteCommand): Promise<void> {
    const mark = `${MARK}\n`;
    let text = '';
    let gone = false;
    void ended.then(() => {
      gone = true;
    });
    for (;;) {
      for (
        let byte = stdout.read(1) as Buffer | null;
        byte !== null;
        byte = stdout.read(1) as Buffer | null
      ) {
        text += byte.toString('latin1');
        if (text.endsWith(mark)) return;
        if (text.length > MOST_NOISE) throw shellUnusable(this.target, 0, text);
      }
      if (gone || stdout.readableEnded || stdout.destroyed) {
        stderr.resume();
        throw shellUnusable(this.target, (await ended)?.code ?? 0, text);
      }
      await new Promise<void>((resolve) => {
        const go = () => {
          stdout.off('readable', go).off('end', go).off('close', go);
          resolve();
        };
        stdout.on('readable', go).on('end', go).on('close', go);
      });
    }
  }
}

function oneStream({ stdin, stdout }: RemoteCommand): Duplex {
  if ((stdin as unknown) === stdout) return stdout as Duplex;
  return new PairStream(stdout, stdin);
}

function interrupted(target: MachineTarget): ClusterError {
  return new ClusterError('interrupted', 'interrupted', {
    machine: target.address,
    exit: EXIT.interrupted,
  });
}

/** A frame's shell outlives the command in it, so that a signal comes back as the exit code that shells give it. */
function signalOf(code: number): string | null {
  const known = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return known?.[0] ?? null;
}
