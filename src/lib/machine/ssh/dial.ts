import { connect as netConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyAuthMethod, Client, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import { ClusterError } from '../../error.ts';
import { authRefused, unreachable } from '../errors.ts';
import type { MachineTarget, SshOptions } from '../port.ts';
import { type AuthLog, agentSocket, authMethods, KeyRing } from './auth.ts';
import { lookupHost, parseSpec, resolveTarget } from './ssh-config.ts';
import { trustFor } from './trust.ts';

const RETRY_JITTER_MS = { least: 50, most: 300 };
const KEEPALIVE_MS = 15_000;

const rings = new WeakMap<SshOptions, Promise<KeyRing>>();

/** A logged-in SSH connection, and how to end it with what it went through. */
export interface Dialled {
  readonly client: Client;
  close(): void;
}

/** Connects and logs in: through jump machines, with the host key checked, retried once when sshd drops us. */
export async function dial(
  target: MachineTarget,
  options: SshOptions,
  jumps?: readonly string[],
): Promise<Dialled> {
  try {
    return await attempt(target, options, jumps);
  } catch (error) {
    if (!(error instanceof Dropped)) throw error;
    const { least, most } = RETRY_JITTER_MS;
    await sleep(least + Math.random() * (most - least));
    return await attempt(target, options, jumps).catch((again: unknown) => {
      throw again instanceof Dropped ? unreachable(target, again.message, again.cause) : again;
    });
  }
}

/** sshd hung up before it knew who we are: too many at once (MaxStartups), or restarting. */
class Dropped extends Error {}

async function attempt(
  target: MachineTarget,
  options: SshOptions,
  jumps: readonly string[] | undefined,
): Promise<Dialled> {
  const config = lookupHost(target.address, options, target);
  const host = { name: config.hostName, port: target.port };
  const hops = jumps ?? config.proxyJump;
  const via = await openJump(target, options, hops);
  const close = () => via?.close();
  try {
    const trust = await trustFor(target, options, config, host);
    const sock = via ? await through(via, target, host) : await openSocket(target, options, host);
    const log: AuthLog = { tried: [], locked: [] };
    const methods = authMethods(target, options, config, await ringOf(options), log);
    const client = await handshake(target, options, sock, trust, methods, log);
    client.once('close', close);
    return {
      client,
      close: () => {
        client.end();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function openJump(
  target: MachineTarget,
  options: SshOptions,
  hops: readonly string[],
): Promise<Dialled | null> {
  const last = hops.at(-1);
  if (last === undefined) return null;
  const spec = parseSpec(last.replace(/^ssh:\/\//, ''));
  const jump = resolveTarget(spec, options, { user: target.user });
  const own = {
    ...jump,
    ...(target.knownHosts ? { knownHosts: target.knownHosts } : {}),
    ...(target.identity ? { identity: target.identity } : {}),
  };
  return await dial(own, options, hops.slice(0, -1)).catch((error: unknown) => {
    if (!(error instanceof ClusterError)) throw error;
    throw new ClusterError(error.code, `on the way to ${target.address}: ${error.message}`, {
      machine: target.address,
      exit: error.exit,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  });
}

function through(via: Dialled, target: MachineTarget, host: { name: string; port: number }): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    via.client.forwardOut('127.0.0.1', 0, host.name, host.port, (error, channel) => {
      if (error) reject(unreachable(target, `its jump machine cannot reach it: ${error.message}`, error));
      else resolve(channel);
    });
  });
}

/** Our own socket, since ssh2's is slow: without noDelay from the first byte a login takes 200 ms instead of 35. */
function openSocket(
  target: MachineTarget,
  options: SshOptions,
  host: { name: string; port: number },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = netConnect({ host: host.name, port: host.port, noDelay: true });
    const timer = setTimeout(() => fail(unreachable(target, noAnswer(options))), options.timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once('error', (error: NodeJS.ErrnoException) => {
      fail(
        error.code === 'ECONNRESET'
          ? new Dropped(socketWords(error), { cause: error })
          : unreachable(target, socketWords(error), error),
      );
    });
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
  });
}

async function handshake(
  target: MachineTarget,
  options: SshOptions,
  sock: Duplex,
  trust: Awaited<ReturnType<typeof trustFor>>,
  methods: AsyncGenerator<AnyAuthMethod, void>,
  log: AuthLog,
): Promise<Client> {
  const { default: ssh2 } = await import('ssh2');
  const client = new ssh2.Client();
  const agent = agentSocket();
  return await new Promise<Client>((resolve, reject) => {
    let verdict: ClusterError | null = null;
    let keyed = false;
    let timer: NodeJS.Timeout | undefined;
    // Our own timer, as ssh2's would also run while a person types a passphrase.
    const patience = () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(unreachable(target, noAnswer(options))), options.timeoutMs);
    };
    const fail = (error: Error) => {
      clearTimeout(timer);
      reject(verdict ?? error);
      client.destroy();
    };
    client.once('handshake', () => {
      keyed = true;
    });
    client.once('ready', () => {
      clearTimeout(timer);
      client.removeAllListeners('error').removeAllListeners('close');
      // What breaks later ends in `close`, which every conversation listens to; an unheard `error` ends the process.
      client.on('error', () => undefined);
      resolve(client);
    });
    client.on('error', (error: Error & { level?: string; code?: string | number }) => {
      // ssh2 goes on to the next method by itself after these.
      if (error.level === 'agent') return;
      if (error.level === 'client-authentication' || /too many authentication/i.test(error.message)) {
        fail(authRefused(target, log.tried, log.locked));
      } else if (!keyed && (error.code === 'ECONNRESET' || /lost before handshake/.test(error.message))) {
        fail(new Dropped('sshd closed the connection at once', { cause: error }));
      } else fail(unreachable(target, error.message, error));
    });
    client.once('close', () => {
      fail(
        keyed
          ? authRefused(target, log.tried, log.locked)
          : new Dropped('sshd closed the connection at once'),
      );
    });
    const config: ConnectConfig = {
      sock: sock as NonNullable<ConnectConfig['sock']>,
      username: target.user,
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_MS,
      strictVendor: false,
      algorithms: { serverHostKey: trust.algorithms as ServerHostKeyAlgorithm[] },
      hostVerifier: (key: Buffer, verify: (ok: boolean) => void) => {
        trust.judge(key).then(
          (error) => {
            verdict = error;
            verify(error === null);
          },
          (error: unknown) => fail(error as Error),
        );
      },
      authHandler: (_left, _partial, next) => {
        clearTimeout(timer);
        methods.next().then(
          ({ value, done }) => {
            patience();
            // ssh2 takes `false` for "nothing left", which its types leave out.
            next((done ? false : value) as AnyAuthMethod);
          },
          (error: unknown) => fail(error as Error),
        );
      },
      ...(agent === undefined ? {} : { agent }),
    };
    patience();
    client.connect(config);
  });
}

async function ringOf(options: SshOptions): Promise<KeyRing> {
  let ring = rings.get(options);
  if (!ring) {
    ring = import('ssh2').then(
      ({ default: ssh2 }) => new KeyRing(ssh2.utils.parseKey, options.askPassphrase),
    );
    rings.set(options, ring);
  }
  return ring;
}

function noAnswer(options: SshOptions): string {
  return `no answer within ${options.timeoutMs / 1000} s`;
}

function socketWords(error: NodeJS.ErrnoException): string {
  const words: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'the connection was reset',
    EHOSTUNREACH: 'no route to it',
    ENETUNREACH: 'no route to its network',
    ETIMEDOUT: 'no answer',
    ENOTFOUND: 'its name is not known',
    EAI_AGAIN: 'its name cannot be looked up now',
  };
  return words[error.code ?? ''] ?? error.message;
}
