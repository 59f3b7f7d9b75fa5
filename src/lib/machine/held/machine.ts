import { unreachable } from '../errors.ts';
import type { FileChange, Machine, MachineTarget } from '../port.ts';
import { type HolderClient, HolderLost } from './client.ts';
import type { Call, CallArgs, CallResult } from './wire.ts';

/** A machine whose connection a holder has. What is not data in, data out goes over a connection of its own. */
export class HeldMachine implements Machine {
  readonly target: MachineTarget;
  readonly #holder: HolderClient;
  readonly #connect: () => Promise<Machine>;
  #own: Promise<Machine> | undefined;

  constructor(target: MachineTarget, holder: HolderClient, connect: () => Promise<Machine>) {
    this.target = target;
    this.#holder = holder;
    this.#connect = connect;
  }

  facts() {
    return this.#call('facts');
  }

  statuses(units: readonly string[]) {
    return this.#call('statuses', units);
  }

  manifest() {
    return this.#call('manifest');
  }

  apply(change: FileChange) {
    return this.#call('apply', change);
  }

  settle(tickets: readonly string[]) {
    return this.#call('settle', tickets);
  }

  reload() {
    return this.#call('reload');
  }

  start(units: readonly string[], block: boolean) {
    return this.#call('start', units, block);
  }

  stop(units: readonly string[], block: boolean) {
    return this.#call('stop', units, block);
  }

  restart(units: readonly string[], block: boolean) {
    return this.#call('restart', units, block);
  }

  forget(units: readonly string[]) {
    return this.#call('forget', units);
  }

  enable(units: readonly string[]) {
    return this.#call('enable', units);
  }

  async exec(...[argv, options = {}]: Parameters<Machine['exec']>) {
    const { stdin, sudo = false, signal, onStdout } = options;
    const isData = (stdin === undefined || typeof stdin === 'string') && !signal && !onStdout;
    if (!isData) return (await this.#direct()).exec(argv, options);
    return await this.#call('exec', argv, { sudo, ...(stdin !== undefined && { stdin }) });
  }

  async interactive(...args: Parameters<Machine['interactive']>) {
    return (await this.#direct()).interactive(...args);
  }

  async forward(...args: Parameters<Machine['forward']>) {
    return (await this.#direct()).forward(...args);
  }

  close(): void {
    this.#own?.then(
      (machine) => machine.close(),
      () => undefined,
    );
  }

  #direct(): Promise<Machine> {
    this.#own ??= this.#connect();
    return this.#own;
  }

  async #call<Name extends Call>(call: Name, ...args: CallArgs<Name>): Promise<CallResult<Name>> {
    try {
      const value = await this.#holder.ask({ ask: 'call', target: this.target, call, args: [...args] });
      return value as CallResult<Name>;
    } catch (error) {
      if (error instanceof HolderLost) throw unreachable(this.target, 'the connection was lost', error);
      throw error;
    }
  }
}
