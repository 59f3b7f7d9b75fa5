import { connect, createServer, type Socket, type Server as TcpServer } from 'node:net';
import type { AuthContext, Connection, ParsedKey, ServerChannel, Session } from 'ssh2';
import ssh2 from 'ssh2';
import { unframe } from '../../machine/index.ts';
import { serveBus } from './bus.ts';
import { runCommand } from './exec.ts';
import type { HollowMachine } from './machine.ts';
import { serveSftp } from './sftp.ts';

/** sshd frees a session when it has reaped its processes, a moment after the channel is closed. */
const REAPED_AFTER_MS = 3;

const BUS_SOCKETS = new Set([
  '/run/dbus/system_bus_socket',
  '/var/run/dbus/system_bus_socket',
  '/run/systemd/private',
]);

export interface HollowServerOptions {
  readonly machine: HollowMachine;
  /** A key that ssh2 has parsed already, shared by every machine of a lab. */
  readonly hostKey: ParsedKey;
  /** The one public key that may log in. */
  readonly authorised: ParsedKey;
  /** 0 takes any free port. */
  readonly port?: number;
}

export interface HollowServer {
  readonly port: number;
  /** Ends every open connection; new ones are accepted. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** Opens a hollow machine's SSH port on 127.0.0.1. */
export async function serveMachine(options: HollowServerOptions): Promise<HollowServer> {
  const { machine } = options;
  const sockets = new Set<Socket>();
  const ssh = new ssh2.Server({ hostKeys: [{ key: options.hostKey }], ident: 'hollow' }, (client) =>
    serveConnection(client, options),
  );
  const tcp = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (!machine.faults.hang) ssh.injectSocket(socket);
  });
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const forget = machine.onReboot(drop);
  const port = await listen(tcp, options.port ?? 0);
  const close = (): Promise<void> => {
    forget();
    machine.systemd.halt();
    return new Promise((resolve) => {
      tcp.close(() => resolve());
      drop();
    });
  };
  return { port, dropConnections: drop, close };
}

function listen(tcp: TcpServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(port, '127.0.0.1', () => {
      const address = tcp.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

function serveConnection(client: Connection, options: HollowServerOptions): void {
  const { machine } = options;
  let user = 'root';
  let requests = 0;
  const counted = (what: string): boolean => {
    machine.requests.push(what);
    const { dropAfter } = machine.faults;
    if (dropAfter === null || ++requests <= dropAfter) return true;
    client.end();
    return false;
  };
  client.on('error', () => {});
  client.on('authentication', (context) => {
    user = context.username;
    if (!machine.faults.refuseAuth && isAuthorised(context, options.authorised)) context.accept();
    else context.reject(['publickey']);
  });
  let sessions = 0;
  client.on('session', (accept, reject) => {
    if (!counted('session')) return;
    if (sessions >= machine.faults.maxSessions) return reject();
    const session = accept();
    sessions++;
    session.once('close', () => setTimeout(() => sessions--, REAPED_AFTER_MS));
    serveSession(session, machine, user);
  });
  // The loopback of a hollow machine is this computer's own: enough for a tunnel to etcd and for a jump machine.
  client.on('tcpip', (accept, reject, info) => {
    if (!counted(`tcpip ${info.destIP}:${info.destPort}`)) return;
    const upstream = connect({ host: info.destIP, port: info.destPort, noDelay: true });
    upstream.once('error', reject);
    upstream.once('connect', () => {
      upstream.off('error', reject);
      const channel = accept();
      const cut = (): void => {
        upstream.destroy();
        channel.destroy();
      };
      for (const end of [upstream, channel]) end.on('error', cut);
      upstream.pipe(channel).pipe(upstream);
    });
  });
  client.on('openssh.streamlocal', (accept, reject, info) => {
    if (!counted(`streamlocal ${info.socketPath}`)) return;
    const refused = machine.faults.forbidStreamlocal || !BUS_SOCKETS.has(info.socketPath);
    if (refused) reject();
    else serveBus(accept(), machine);
  });
}

function isAuthorised(context: AuthContext, authorised: ParsedKey): boolean {
  if (context.method !== 'publickey') return false;
  const { key } = context;
  if (key.algo !== authorised.type || !key.data.equals(authorised.getPublicSSH())) return false;
  return (
    !context.signature ||
    (context.blob !== undefined &&
      authorised.verify(context.blob, context.signature, context.hashAlgo) === true)
  );
}

function serveSession(session: Session, machine: HollowMachine, user: string): void {
  let pty = false;
  session.on('pty', (accept) => {
    pty = true;
    accept?.();
  });
  session.on('env', (accept) => accept?.());
  session.on('window-change', (accept) => accept?.());
  session.on('auth-agent', (accept) => accept?.());
  session.on('signal', (accept) => accept?.());
  session.on('exec', (accept, _reject, info) => {
    machine.requests.push(`exec ${(unframe(info.command) ?? info.command).slice(0, 200)}`);
    const { slowMs } = machine.faults;
    const channel = accept();
    if (slowMs > 0) setTimeout(() => void exec(channel, info.command, machine, user, pty), slowMs);
    else void exec(channel, info.command, machine, user, pty);
  });
  session.on('shell', (accept) => shell(accept(), machine, user));
  session.on('sftp', (accept) => serveSftp(accept(), machine));
}

async function exec(
  channel: ServerChannel,
  command: string,
  machine: HollowMachine,
  user: string,
  pty: boolean,
): Promise<void> {
  const text = (data: string | Buffer): string | Buffer =>
    pty && typeof data === 'string' ? data.replace(/\n/g, '\r\n') : data;
  const write = (data: string | Buffer): void => void (channel.writable && channel.write(text(data)));
  channel.on('error', () => {});
  const code = await runCommand(command, {
    machine,
    root: user === 'root',
    stdin: () => readAll(channel),
    out: write,
    err: (data) => (pty ? write(data) : void (channel.writable && channel.stderr.write(data))),
    onClose: (then) => channel.once('close', then),
    bridge: () => serveBus(channel, machine),
  }).catch((error: unknown) => {
    channel.stderr.write(`hollow machine: ${String(error)}\n`);
    return 70;
  });
  if (code === null) return;
  await heard(channel);
  finish(channel, code);
}

/**
 * A real command takes a moment to start and end; ours would answer in the packet that accepts it, before the client
 * listens. We wait for the client's end of input, or a few milliseconds, to be sure that it does.
 */
function heard(channel: ServerChannel): Promise<void> {
  return new Promise((resolve) => {
    if (channel.readableEnded || channel.destroyed) return resolve();
    const timer = setTimeout(resolve, 5);
    const go = (): void => {
      clearTimeout(timer);
      resolve();
    };
    channel.once('end', go).once('close', go);
    channel.resume();
  });
}

function finish(channel: ServerChannel, code: number): void {
  if (!channel.writable) return;
  channel.exit(code);
  channel.end();
}

function readAll(channel: ServerChannel): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    channel.on('data', (chunk: Buffer) => chunks.push(chunk));
    channel.once('end', () => resolve(Buffer.concat(chunks)));
    channel.once('close', () => resolve(Buffer.concat(chunks)));
  });
}

/** A line-based stand-in for a login shell: echoes what is typed, runs each line, ends at `exit` or Ctrl-D. */
function shell(channel: ServerChannel, machine: HollowMachine, user: string): void {
  const prompt = `${user}@${machine.hostname} (hollow)# `;
  let line = '';
  let last = 0;
  let queue: Promise<void> = Promise.resolve();
  const say = (data: string | Buffer): void =>
    void (channel.writable && channel.write(typeof data === 'string' ? data.replace(/\n/g, '\r\n') : data));
  const runLine = async (text: string): Promise<void> => {
    const leaving = /^exit(?:\s+(\d+))?$/.exec(text.trim());
    if (leaving) return finish(channel, Number(leaving[1] ?? last) & 255);
    if (text.trim() !== '') {
      const none = { stdin: async () => Buffer.alloc(0), onClose: () => {}, bridge: () => {} };
      last = (await runCommand(text, { machine, root: user === 'root', out: say, err: say, ...none })) ?? 0;
    }
    say(prompt);
  };
  channel.on('error', () => {});
  channel.on('end', () => finish(channel, last));
  channel.on('data', (chunk: Buffer) => {
    for (const c of chunk.toString('utf8')) {
      if (c === '\x04' && line === '') {
        queue = queue.then(() => finish(channel, last));
      } else if (c === '\r' || c === '\n') {
        const text = line;
        line = '';
        say('\n');
        queue = queue.then(() => runLine(text));
      } else if (c === '\x7f') {
        line = line.slice(0, -1);
        say('\b \b');
      } else if (c === '\x03') {
        line = '';
        say(`^C\n${prompt}`);
      } else {
        line += c;
        say(c);
      }
    }
  });
  say(`Welcome to a hollow machine: its systemd is simulated.\n${prompt}`);
}
