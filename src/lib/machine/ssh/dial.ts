import { connect as netConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyAuthMethod, Client, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2';
import { ClusterError } from '../../error.ts';
import { authRefused, needsOpenssh, unreachable } from '../errors.ts';
import type { MachineTarget, SshOptions } from '../port.ts';
import { type AuthLog, agentSocket, authMethods, KeyRing } from './auth.ts';
import { keepAliveOf } from './keep-alive.ts';
import { type HostConfig, lookupHost, parseSpec, resolveTarget } from './ssh-config.ts';
import { trustFor } from './trust.ts';

const RETRY_JITTER_MS = { least: 50, most: 300 };
/** More machines than this, one behind the other, are a loop in the configuration. */
const MOST_JUMPS = 8;

const rings = new WeakMap<SshOptions, Promise<KeyRing>>();

/** A logged-in SSH connection, and how to end it with what it went through. */
export interface Dialled {
  readonly client: Client;
  close(): void;
}

/**
 * Connects and logs in: through jump machines, with the host key checked, retried once when sshd drops us.
 * @param mostMs how long one step may take, where that is less than the settings say.
 */
export async function dial(
  target: MachineTarget,
  options: SshOptions,
  mostMs?: number,
  jumps?: readonly string[],
  depth = 0,
): Promise<Dialled> {
  if (depth > MOST_JUMPS)
    throw unreachable(target, `ProxyJump leads through more than ${MOST_JUMPS} machines`);
  try {
    return await attempt(target, options, mostMs, jumps, depth);
  } catch (error) {
    if (!(error instanceof Dropped)) throw error;
    const { least, most } = RETRY_JITTER_MS;
    await sleep(least + Math.random() * (most - least));
    return await attempt(target, options, mostMs, jumps, depth).catch((again: unknown) => {
      throw again instanceof Dropped ? unreachable(target, again.message, again.cause) : again;
    });
  }
}

/** sshd hung up before it knew who we are: too many at once (MaxStartups), or restarting. */
class Dropped extends Error {}

/** Where a connection goes, and how. */
interface Way {
  readonly target: MachineTarget;
  readonly options: SshOptions;
  readonly config: HostConfig;
  readonly timeoutMs: number;
}

async function attempt(
  target: MachineTarget,
  options: SshOptions,
  mostMs: number | undefined,
  jumps: readonly string[] | undefined,
  depth: number,
): Promise<Dialled> {
  const config = lookupHost(target.address, options, target);
  const proxy = config.opensshOnly.find((option) => /proxycommand/i.test(option));
  // Connecting directly would lead to another machine than the one that is meant.
  if (proxy !== undefined && jumps === undefined) throw needsOpenssh(target, proxy, true);
  const timeoutMs = loginTimeout(options, config, mostMs);
  const way: Way = { target, options, config, timeoutMs };
  const via = await openJump(way, mostMs, jumps ?? config.proxyJump, depth);
  const close = () => via?.close();
  try {
    const trust = await trustFor(target, options, config);
    const sock = via ? await through(via, way) : await openSocket(way);
    const log: AuthLog = { tried: [], locked: [], left: [], partial: false, tooMany: false };
    const methods = authMethods(target, options, config, await ringOf(options), log);
    const client = await handshake(way, sock, trust, methods, log);
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

/** How long one step of a login may take, in milliseconds. */
export function loginTimeout(
  options: SshOptions,
  config: HostConfig,
  mostMs = Number.POSITIVE_INFINITY,
): number {
  const chosen = options.timeoutChosen ? options.timeoutMs : (config.connectTimeoutMs ?? options.timeoutMs);
  return Math.min(chosen, mostMs);
}

/** An sshd that answered and did not let us in, with what happened, for a second try by other means. */
export class RefusedByServer extends Error {
  readonly log: AuthLog;
  readonly error: ClusterError;

  constructor(log: AuthLog, error: ClusterError) {
    super(error.message);
    this.log = log;
    this.error = error;
  }
}

async function openJump(
  { target, options, config }: Way,
  mostMs: number | undefined,
  hops: readonly string[],
  depth: number,
): Promise<Dialled | null> {
  const last = hops.at(-1);
  if (last === undefined) return null;
  const jump = jumpTarget(last, target, options);
  // As OpenSSH: `Host *` with ProxyJump also applies to the jump machine itself.
  const isSelf = jump.address === target.address || jump.address === config.hostName;
  if (isSelf && jump.port === target.port) return null;
  const before = hops.slice(0, -1);
  // Without a machine before it in the list, the jump machine's own configuration says how it is reached.
  const dialled = dial(jump, options, mostMs, before.length > 0 ? before : undefined, depth + 1);
  return await dialled.catch((error: unknown) => {
    const known = error instanceof RefusedByServer ? error.error : error;
    if (!(known instanceof ClusterError)) throw error;
    throw new ClusterError(known.code, `on the way to ${target.address}: ${known.message}`, {
      machine: target.address,
      exit: known.exit,
      ...(known.hint === undefined ? {} : { hint: known.hint }),
      cause: error,
    });
  });
}

/** The machine that a word of ProxyJump names. */
export function jumpTarget(hop: string, target: MachineTarget, options: SshOptions): MachineTarget {
  const jump = resolveTarget(parseSpec(hop.replace(/^ssh:\/\//, '')), options, { user: target.user });
  return {
    ...jump,
    ...(target.knownHosts ? { knownHosts: target.knownHosts } : {}),
    ...(target.identity ? { identity: target.identity } : {}),
  };
}

function through(via: Dialled, { target, config }: Way): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    via.client.forwardOut('127.0.0.1', 0, config.hostName, target.port, (error, channel) => {
      if (error) reject(unreachable(target, `its jump machine cannot reach it: ${error.message}`, error));
      else resolve(channel);
    });
  });
}

/** Our own socket, since ssh2's is slow: without noDelay from the first byte a login takes 200 ms instead of 35. */
function openSocket({ target, config, timeoutMs }: Way): Promise<Socket> {
  const where = { ...target, command: config.command };
  return new Promise((resolve, reject) => {
    const socket = netConnect({
      host: config.hostName,
      port: target.port,
      noDelay: true,
      ...(config.family === undefined ? {} : { family: config.family }),
      ...(config.bindAddress === undefined ? {} : { localAddress: config.bindAddress }),
    });
    const timer = setTimeout(() => fail(unreachable(where, noAnswer(timeoutMs))), timeoutMs);
    const fail = (error: Error) => {
      clearTimeout(timer);
      socket.destroy();
      reject(error);
    };
    socket.once('error', (error: NodeJS.ErrnoException) => {
      fail(
        error.code === 'ECONNRESET'
          ? new Dropped(socketWords(error), { cause: error })
          : unreachable(where, socketWords(error), error),
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
  { target, options, config: host, timeoutMs }: Way,
  sock: Duplex,
  trust: Awaited<ReturnType<typeof trustFor>>,
  methods: AsyncGenerator<AnyAuthMethod, void>,
  log: AuthLog,
): Promise<Client> {
  const { default: ssh2 } = await import('ssh2');
  const client = new ssh2.Client();
  const agent = agentSocket(host);
  const where = { ...target, command: host.command };
  const refused = () => {
    const missing = log.partial ? log.left : [];
    return new RefusedByServer(log, authRefused(where, { ...log, missing }));
  };
  return await new Promise<Client>((resolve, reject) => {
    let verdict: ClusterError | null = null;
    let keyed = false;
    let timer: NodeJS.Timeout | undefined;
    // Our own timer, as ssh2's would also run while a person types a passphrase.
    const patience = () => {
      clearTimeout(timer);
      timer = setTimeout(() => fail(unreachable(where, noAnswer(timeoutMs))), timeoutMs);
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
      log.tooMany ||= /too many authentication/i.test(error.message);
      if (error.level === 'client-authentication' || log.tooMany) fail(refused());
      else if (!keyed && (error.code === 'ECONNRESET' || /lost before handshake/.test(error.message))) {
        fail(new Dropped('sshd closed the connection at once', { cause: error }));
      } else fail(unreachable(where, error.message, error));
    });
    client.once('close', () => {
      fail(keyed ? refused() : new Dropped('sshd closed the connection at once'));
    });
    const alive = keepAliveOf(options, host);
    const config: ConnectConfig = {
      sock: sock as NonNullable<ConnectConfig['sock']>,
      username: target.user,
      readyTimeout: 0,
      keepaliveInterval: alive.intervalMs,
      ...(alive.count === undefined ? {} : { keepaliveCountMax: alive.count }),
      strictVendor: false,
      algorithms: { serverHostKey: trust.algorithms as ServerHostKeyAlgorithm[] },
      hostVerifier: (key: Buffer, verify: (ok: boolean) => void) => {
        // A person may be asked.
        clearTimeout(timer);
        trust.judge(key).then(
          (error) => {
            patience();
            verdict = error;
            verify(error === null);
          },
          (error: unknown) => fail(error as Error),
        );
      },
      authHandler: (left, partial, next) => {
        clearTimeout(timer);
        log.left = left ?? [];
        log.partial ||= partial === true;
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

function noAnswer(timeoutMs: number): string {
  return `no answer within ${timeoutMs / 1000} s`;
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
