import { ClusterError } from '../error.ts';
import { connectMachine } from './connect.ts';
import { unreachable } from './errors.ts';
import type { HeldConnections } from './held/index.ts';
import { targetKey } from './held/wire.ts';
import type { Machine, MachineTarget, SshOptions } from './port.ts';
import { Limit } from './ssh/limit.ts';

/** How many connections may be opening at a time, over all machines. */
const STARTS = 30;
/** How long a command that only looks waits for a machine that was away a moment ago. */
const AWAY_MS = 2000;
const AGAIN = `no answer within ${AWAY_MS / 1000} s, and none a moment ago; it is asked on`;

export interface PoolOptions {
  readonly starts?: number;
  readonly connect?: typeof connectMachine;
  /** Connections that outlive this run; absent = none do. */
  readonly held?: HeldConnections;
  /** Shows what there is and decides nothing: a machine that was away a moment ago need not be waited for. */
  readonly looks?: boolean;
}

/** One connection per machine and run. A failure is remembered too, so that a dead machine costs its timeout once. */
export class MachinePool {
  readonly #options: SshOptions;
  readonly #connect: typeof connectMachine;
  readonly #starts: Limit;
  readonly #machines = new Map<string, Promise<Machine>>();
  readonly #held: HeldConnections | undefined;
  readonly #looks: boolean;
  readonly #connected = new Map<string, MachineTarget>();
  /** Those that were not waited for. */
  readonly #hurried = new Map<string, MachineTarget>();
  #closed = false;

  constructor(
    options: SshOptions,
    { starts = STARTS, connect = connectMachine, held, looks = false }: PoolOptions = {},
  ) {
    this.#options = options;
    this.#connect = connect;
    this.#held = held;
    this.#looks = looks;
    this.#starts = new Limit(starts);
  }

  /** The connection to this machine, made on first use. */
  use(target: MachineTarget): Promise<Machine> {
    const key = targetKey(target);
    const known = this.#machines.get(key);
    if (known) return known;
    const machine = this.#open(target);
    this.#machines.set(key, machine);
    machine.then(
      (made) => {
        if (this.#closed) made.close();
      },
      () => undefined,
    );
    return machine;
  }

  /** A new connection in the place of one that was lost or could not be made. */
  again(target: MachineTarget): Promise<Machine> {
    const key = targetKey(target);
    this.#machines.get(key)?.then(
      (lost) => lost.close(),
      () => undefined,
    );
    this.#machines.delete(key);
    return this.use(target);
  }

  /** These machines were removed: no connection to them outlives the run. */
  async forget(targets: readonly MachineTarget[]): Promise<void> {
    for (const target of targets) this.#connected.delete(targetKey(target));
    await this.#held?.drop(targets);
  }

  /** Ends every connection, also those that are still opening; those that outlive the run go to their holder. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    for (const machine of this.#machines.values()) {
      machine.then(
        (made) => made.close(),
        () => undefined,
      );
    }
    this.#machines.clear();
    await this.#held?.leave([...this.#connected.values()], [...this.#hurried.values()]);
  }

  async #open(target: MachineTarget): Promise<Machine> {
    const direct = (): Promise<Machine> => this.#starts.run(() => this.#connect(target, this.#options));
    const held = await this.#held?.use(target, direct);
    if (held) return held;
    const machine = await this.#patiently(target, direct);
    this.#connected.set(targetKey(target), target);
    return machine;
  }

  /** Remembers which machines are away, and hurries where a command that looks meets one of them again. */
  async #patiently(target: MachineTarget, direct: () => Promise<Machine>): Promise<Machine> {
    const wasAway = (await this.#held?.wasAway(target)) === true;
    const hurries = wasAway && this.#looks;
    const connect = hurries
      ? () => this.#starts.run(() => this.#connect(target, this.#options, AWAY_MS))
      : direct;
    const started = performance.now();
    try {
      const machine = await connect();
      if (wasAway) await this.#held?.noteBack(target);
      return machine;
    } catch (error) {
      const isAway = error instanceof ClusterError && error.code === 'machine-unreachable';
      // One that is refused at once costs nothing to ask again.
      if (!isAway || performance.now() - started < AWAY_MS - 100) throw error;
      if (!hurries) await this.#held?.noteAway(target);
      else this.#hurried.set(targetKey(target), target);
      throw hurries ? unreachable(target, AGAIN, error) : error;
    }
  }
}
