import { connectMachine } from './connect.ts';
import { Limit } from './limit.ts';
import type { Machine, MachineTarget, SshOptions } from './port.ts';

/** sshd starts dropping above 10 logins at a time per machine; this bounds what we ourselves open at once. */
const STARTS = 30;

export interface PoolOptions {
  readonly starts?: number;
  readonly connect?: typeof connectMachine;
}

/** One connection per machine and run. A failed one is remembered too: a dead machine costs its timeout once. */
export class MachinePool {
  private readonly options: SshOptions;
  private readonly connect: typeof connectMachine;
  private readonly starts: Limit;
  private readonly machines = new Map<string, Promise<Machine>>();
  private closed = false;

  constructor(options: SshOptions, { starts = STARTS, connect = connectMachine }: PoolOptions = {}) {
    this.options = options;
    this.connect = connect;
    this.starts = new Limit(starts);
  }

  /** The connection to this machine, made on first use. */
  use(target: MachineTarget): Promise<Machine> {
    const key = JSON.stringify([
      target.user,
      target.address,
      target.port,
      target.identity,
      target.knownHosts,
    ]);
    const known = this.machines.get(key);
    if (known) return known;
    const machine = this.starts.run(() => this.connect(target, this.options));
    this.machines.set(key, machine);
    machine.then(
      (made) => {
        if (this.closed) made.close();
      },
      () => undefined,
    );
    return machine;
  }

  /** Ends every connection, also those still being made. */
  closeAll(): void {
    this.closed = true;
    for (const machine of this.machines.values()) {
      machine.then(
        (made) => made.close(),
        () => undefined,
      );
    }
    this.machines.clear();
  }
}
