import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import type { ClientChannel, ExecOptions, PseudoTtyOptions } from 'ssh2';
import type { Dialled } from './dial.ts';
import {
  ChannelRefused,
  type CommandEnd,
  type InteractiveStreams,
  type RemoteCommand,
  type StreamPlace,
  type Transport,
} from './transport.ts';

type Open = (done: (error: Error | undefined, channel: ClientChannel) => void) => void;

/** A connection that ssh2 made in this process. */
export class Ssh2Transport implements Transport {
  readonly kind = 'ssh2';
  readonly gone: Promise<void>;
  readonly #dialled: Dialled;

  constructor(dialled: Dialled) {
    this.#dialled = dialled;
    this.gone = new Promise((resolve) => {
      dialled.client.once('close', () => resolve());
    });
  }

  run(command: string): Promise<RemoteCommand> {
    return this.#open((done) => this.#dialled.client.exec(command, done), remoteCommand);
  }

  stream(to: StreamPlace): Promise<Duplex> {
    const { client } = this.#dialled;
    return this.#open(
      (done) => {
        if ('path' in to) client.openssh_forwardOutStreamLocal(to.path, done);
        else client.forwardOut('127.0.0.1', 0, to.host, to.port, done);
      },
      (channel) => channel,
    );
  }

  async interactive(command: string | null, streams: InteractiveStreams): Promise<number> {
    const { stdin, stdout, forwardAgent = false } = streams;
    const { client } = this.#dialled;
    const terminal = stdin.isTTY === true && stdout.isTTY === true;
    const pty: PseudoTtyOptions = {
      term: process.env.TERM ?? 'xterm',
      rows: stdout.rows,
      cols: stdout.columns,
    };
    // Per channel: the connection-wide switch of ssh2 would hand the agent to every command that we run.
    const agent: object = forwardAgent ? { agentForward: true } : {};
    const open: Open = (done) => {
      const options: ExecOptions = { ...agent, ...(terminal ? { pty } : {}) };
      if (command === null) client.shell(terminal ? pty : false, { ...agent }, done);
      else client.exec(command, options, done);
    };
    const { channel, ended } = await this.#open(open, (made) => ({ channel: made, ended: endOf(made) }));
    return await pipeTerminal(channel, streams, terminal, ended);
  }

  close(): void {
    this.#dialled.close();
  }

  /**
   * `made` sees the channel before anything can come through it: a quick command's exit can stand in the same packet as
   * its start, and a listener that is added a moment later misses it.
   */
  #open<T>(open: Open, made: (channel: ClientChannel) => T): Promise<T> {
    const { client } = this.#dialled;
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error('the connection was lost'));
      client.once('close', ended);
      try {
        open((error, channel) => {
          client.off('close', ended);
          if (error === undefined || error === null) resolve(made(channel));
          else reject(new ChannelRefused(error.message, { cause: error }));
        });
      } catch (error) {
        client.off('close', ended);
        reject(error as Error);
      }
    });
  }
}

function remoteCommand(channel: ClientChannel): RemoteCommand {
  return {
    stdin: channel,
    stdout: channel,
    stderr: channel.stderr,
    ended: endOf(channel),
    stop: () => {
      channel.signal('TERM');
      channel.close();
    },
  };
}

function endOf(channel: ClientChannel): Promise<CommandEnd | null> {
  return new Promise((resolve) => {
    let end: CommandEnd | null = null;
    channel.on('exit', (code: number | null, signal?: string) => {
      end = { code: code ?? exitOfSignal(signal) };
    });
    // A command that does not read its stdin closes it early, which is no error of the command.
    channel.on('error', () => undefined);
    channel.on('close', () => resolve(end));
  });
}

async function pipeTerminal(
  channel: ClientChannel,
  { stdin, stdout, stderr }: InteractiveStreams,
  terminal: boolean,
  ended: Promise<CommandEnd | null>,
): Promise<number> {
  const resize = () => channel.setWindow(stdout.rows, stdout.columns, 0, 0);
  const wasRaw = stdin.isRaw;
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on('resize', resize);
  }
  stdin.pipe(channel);
  channel.pipe(stdout, { end: false });
  channel.stderr.pipe(stderr, { end: false });
  try {
    const end = await ended;
    if (end === null) throw new Error('the connection was lost');
    return end.code;
  } finally {
    stdin.unpipe(channel);
    stdin.pause();
    if (terminal) {
      stdin.setRawMode(wasRaw ?? false);
      stdout.off('resize', resize);
    }
  }
}

/** A shell's exit code of a command that a signal ended. */
function exitOfSignal(name: string | undefined): number {
  const signals: Readonly<Record<string, number>> = constants.signals;
  return 128 + (signals[name ?? ''] ?? 0);
}
