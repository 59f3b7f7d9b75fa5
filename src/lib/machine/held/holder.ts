import { lstat, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { within } from '../../within.ts';
import { connectMachine } from '../connect.ts';
import { unreachable } from '../errors.ts';
import type { JobWaiting, Machine, MachineTarget, SshOptions } from '../port.ts';
import { Limit } from '../ssh/limit.ts';
import { HolderClient } from './client.ts';
import { Watches } from './watches.ts';
import {
  type Answer,
  CALLS,
  errorToData,
  type HeldConnection,
  type Question,
  type Request,
  receive,
  send,
  targetKey,
} from './wire.ts';

const TICK_MS = 1000;
/** A connection that takes longer than this is dead: the command that asked connects anew and is told the reason. */
const SILENCE_MS = 2000;
/** Any unit will do: the answer shows that connection, bus and systemd live. */
const PROBE = 'cluster.target';

/** What a holder is started with. */
export interface HolderOptions {
  readonly socket: string;
  readonly ssh: SshOptions;
  /** How many connections may be opening at once. */
  readonly starts: number;
  /** A connection is closed after it was not used for this time; the holder ends with its last one. */
  readonly idleMs: number;
  readonly targets: readonly MachineTarget[];
}

interface Held {
  readonly target: MachineTarget;
  readonly machine: Machine;
  /** By the clock that nobody sets, as `used`. */
  readonly since: number;
  used: number;
  /** Calls and watches that are going on. */
  calls: number;
}

/** Holds connections and serves them on a socket until they are no longer used. */
export async function runHolder(options: HolderOptions): Promise<void> {
  const holder = new Holder(options);
  if (!(await holder.listen())) return;
  await holder.hold(options.targets);
  await holder.ended;
}

class Holder {
  readonly ended: Promise<void>;
  readonly #options: HolderOptions;
  readonly #starts: Limit;
  readonly #held = new Map<string, Held>();
  readonly #opening = new Set<string>();
  readonly #server: Server;
  #inode = 0;
  readonly #timer: NodeJS.Timeout;
  #resolve: () => void = () => undefined;

  constructor(options: HolderOptions) {
    this.#options = options;
    this.#starts = new Limit(options.starts);
    this.#server = createServer((socket) => this.#serve(socket));
    this.#timer = setInterval(() => void this.#tick(), TICK_MS);
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => this.#finish());
  }

  /** False where another holder is there already. */
  async listen(): Promise<boolean> {
    const { socket } = this.#options;
    const other = await HolderClient.connect(socket);
    if (other !== null) {
      await other.ask({ ask: 'hold', targets: this.#options.targets }).catch(() => undefined);
      other.close();
      this.#finish();
      return false;
    }
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(socket, resolve);
    });
    this.#inode = (await lstat(socket)).ino;
    return true;
  }

  /** Connects to those that are not held yet; one that needs a person (a passphrase) is left alone. */
  async hold(targets: readonly MachineTarget[]): Promise<void> {
    await Promise.all(
      targets.map(async (target) => {
        const key = targetKey(target);
        if (this.#held.has(key) || this.#opening.has(key)) return;
        this.#opening.add(key);
        try {
          const machine = await this.#starts.run(() => connectMachine(target, this.#options.ssh));
          await machine.statuses([PROBE]).catch((error: unknown) => {
            machine.close();
            throw error;
          });
          const now = performance.now();
          this.#held.set(key, { target, machine, since: now, used: now, calls: 0 });
        } catch {
          // The next command meets the same error on its own connection and reports it.
        } finally {
          this.#opening.delete(key);
        }
      }),
    );
  }

  #serve(socket: Socket): void {
    socket.on('error', () => undefined);
    const watches = new Watches();
    socket.on('close', () => watches.endAll());
    receive<Request>(socket, ({ id, ...question }) => {
      const answer = (message: Answer): unknown => !socket.destroyed && send(socket, message);
      this.#answer(question as Question, watches, (part) => answer({ id, part })).then(
        (value) => answer({ id, value: value ?? null }),
        (error: unknown) => answer({ id, error: errorToData(error) }),
      );
    });
  }

  async #answer(question: Question, watches: Watches, tell: (part: unknown) => void): Promise<unknown> {
    switch (question.ask) {
      case 'use':
        return await this.#isAlive(question.target);
      case 'call':
        return await this.#call(question, tell);
      case 'watch':
        return this.#watch(question, watches);
      case 'next':
        return await watches.next(question.watch);
      case 'unwatch':
        return watches.end(question.watch);
      case 'hold':
        void this.hold(question.targets);
        return null;
      case 'drop':
        for (const target of question.targets) this.#drop(targetKey(target));
        return null;
      case 'list':
        return [...this.#held.values()].map(connectionOf);
      case 'end':
        setImmediate(() => this.#finish());
        return this.#held.size;
    }
  }

  async #call(
    { target, call, args, parts }: Question & { ask: 'call' },
    tell: (part: unknown) => void,
  ): Promise<unknown> {
    const held = this.#find(target);
    if (!CALLS.includes(call)) throw new Error(`a machine has no ${call}`);
    const method = held.machine[call] as (...args: unknown[]) => Promise<unknown>;
    held.calls++;
    try {
      return await method.apply(held.machine, parts ? withParts(args, tell) : [...args]);
    } finally {
      held.calls--;
      held.used = performance.now();
    }
  }

  #watch({ target, units }: Question & { ask: 'watch' }, watches: Watches): number {
    const held = this.#find(target);
    held.calls++;
    return watches.begin(held.machine, units, () => {
      held.calls--;
      held.used = performance.now();
    });
  }

  #find(target: MachineTarget): Held {
    const held = this.#held.get(targetKey(target));
    if (held === undefined) throw unreachable(target, 'the connection was closed');
    return held;
  }

  async #isAlive(target: MachineTarget): Promise<boolean> {
    const key = targetKey(target);
    const held = this.#held.get(key);
    if (held === undefined) return false;
    if (!(await answers(held.machine))) {
      this.#drop(key);
      return false;
    }
    held.used = performance.now();
    return true;
  }

  #finish(): void {
    clearInterval(this.#timer);
    for (const { machine } of this.#held.values()) machine.close();
    this.#held.clear();
    this.#server.close();
    // Removed only where it is still ours: another holder may have come in its place.
    this.#isOurs()
      .then((ours) => (ours ? rm(this.#options.socket, { force: true }) : undefined))
      .then(this.#resolve, this.#resolve);
  }

  #drop(key: string): void {
    this.#held.get(key)?.machine.close();
    this.#held.delete(key);
  }

  async #tick(): Promise<void> {
    const oldest = performance.now() - this.#options.idleMs;
    for (const [key, { used, calls }] of this.#held) if (used <= oldest && calls === 0) this.#drop(key);
    const isOver = this.#held.size === 0 && this.#opening.size === 0;
    if (isOver || !(await this.#isOurs())) this.#finish();
  }

  async #isOurs(): Promise<boolean> {
    return (await lstat(this.#options.socket).catch(() => null))?.ino === this.#inode;
  }
}

/** The arguments of a job call, with the function in them that JSON cannot carry. */
function withParts(args: readonly unknown[], tell: (part: unknown) => void): unknown[] {
  const [units, block, waiting] = args;
  return [units, block, { ...(waiting as JobWaiting), onOutcome: tell }];
}

function answers(machine: Machine): Promise<boolean> {
  const answer = machine.statuses([PROBE]).then(
    () => true,
    () => false,
  );
  return within(SILENCE_MS, answer, false);
}

function connectionOf({ target, since, used }: Held): HeldConnection {
  const now = performance.now();
  return { target, heldMs: Math.round(now - since), unusedMs: Math.round(now - used) };
}
