import type { ClientChannel, ExecOptions, PseudoTtyOptions } from 'ssh2';
import { quote } from '../../shell-words.ts';
import type { Machine } from '../port.ts';
import { exitOfSignal, type Session } from './session.ts';

type Streams = Parameters<Machine['interactive']>[1];

/** Runs a command or the login shell on the caller's streams: on a terminal if both ends are one, else on pipes. */
export async function interactive(
  session: Session,
  argv: readonly string[] | null,
  streams: Streams,
): Promise<number> {
  const { stdin, stdout, stderr, forwardAgent = false } = streams;
  const terminal = stdin.isTTY === true && stdout.isTTY === true;
  const pty: PseudoTtyOptions = {
    term: process.env.TERM ?? 'xterm',
    rows: stdout.rows,
    cols: stdout.columns,
  };
  // Per channel: the connection-wide switch of ssh2 would hand the agent to every command that we run.
  const agent: object = forwardAgent ? { agentForward: true } : {};
  // A quick command's exit can stand in the same packet as its start: who listens a moment later misses it.
  let exit: Promise<number> | undefined;
  const channel = await session.hold(
    (done) => {
      const options: ExecOptions = { ...agent, ...(terminal ? { pty } : {}) };
      if (argv === null) session.client.shell(terminal ? pty : false, { ...agent }, done);
      else session.client.exec(quote(argv), options, done);
    },
    (opened) => {
      exit = exitCode(session, opened);
    },
  );
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
    return await (exit as unknown as Promise<number>);
  } finally {
    stdin.unpipe(channel);
    stdin.pause();
    if (terminal) {
      stdin.setRawMode(wasRaw ?? false);
      stdout.off('resize', resize);
    }
  }
}

function exitCode(session: Session, channel: ClientChannel): Promise<number> {
  return new Promise((resolve, reject) => {
    let exit: number | undefined;
    channel.on('exit', (code: number | null, signal?: string) => {
      exit = code ?? exitOfSignal(signal);
    });
    channel.on('error', () => undefined);
    channel.on('close', () => (exit === undefined ? reject(session.lost()) : resolve(exit)));
  });
}
