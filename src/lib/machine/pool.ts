import { connectMachine } from './connect.ts';
import type { HeldConnections } from './held/index.ts';
import { targetKey } from './held/wire.ts';
import type { Machine, MachineTarget, SshOptions } from './port.ts';
import { Limit } from './ssh/limit.ts';

/** How many connections may be opening at a time, over all machines. */
const STARTS = 30;

export interface PoolOptions {
  readonly starts?: number;
  readonly connect?: typeof connectMachine;
  /** Connections that outlive this run; absent = none do. */
  readonly held?: HeldConnections;
}

/** One connection per machine and run. A failure is remembered too, so that a dead machine costs its timeout once. */
export class MachinePool {
  readonly #options: SshOptions;
  readonly #connect: typeof connectMachine;
  readonly #starts: Limit;
  readonly #machines = new Map<string, Promise<Machine>>();
  readonly #held: HeldConnections | undefined;
  readonly #connected = new Map<string, MachineTarget>();
  #closed = false;

  constructor(options: SshOptions, { starts = STARTS, connect = connectMachine, held }: PoolOptions = {}) {
    this.#options = options;
    this.#connect = connect;
    this.#held = held;
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
    await this.#held?.leave([...this.#connected.values()]);
  }

  async #open(target: MachineTarget): Promise<Machine> {
    const direct = (): Promise<Machine> => this.#starts.run(() => this.#connect(target, this.#options));
    const held = await this.#held?.use(target, direct);
    if (held) return held;
    const machine = await direct();
    this.#connected.set(targetKey(target), target);
    return machine;
  }
}
