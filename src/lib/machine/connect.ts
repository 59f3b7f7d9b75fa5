import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../error.ts';
import { busUnavailable, commandFailed } from './errors.ts';
import { assertTicket, checkApplied, packChange, parseManifest } from './files/change.ts';
import { parseFacts } from './files/facts.ts';
import { scriptArgv } from './files/scripts.ts';
import type { FileChange, JobOutcome, Machine, MachineTarget, SshOptions } from './port.ts';
import { openTransport } from './ssh/open.ts';
import { Session } from './ssh/session.ts';
import type { Transport } from './ssh/transport.ts';
import { type Bus, BusClosed, BusError, connectBus } from './systemd/dbus.ts';
import { enableUnits, forgetUnits, type JobKind, reload, runJobs, unitStatuses } from './systemd/manager.ts';

const BUS_SOCKET = '/run/dbus/system_bus_socket';
const JOURNAL_LINES = 10;
const LAST_WORDS_MS = 1000;
/** A shell's exit code for a program that is not there. */
const NOT_FOUND = 127;
const NO_BRIDGE = 'sshd forwards no sockets for this login, and systemd-stdio-bridge is not installed there';

/** Connects to a machine, checks its host key and logs in. The bus is opened when it is first needed. */
export async function connectMachine(target: MachineTarget, options: SshOptions): Promise<Machine> {
  const open = () => openTransport(target, options);
  return new SshMachine(await open(), target, open);
}

class SshMachine implements Machine {
  readonly target: MachineTarget;
  readonly #transport: Transport;
  readonly #session: Session;
  #opening: Promise<Bus> | undefined;

  constructor(transport: Transport, target: MachineTarget, dialMore: () => Promise<Transport>) {
    this.target = target;
    this.#transport = transport;
    this.#session = new Session(transport, target, dialMore);
  }

  async facts() {
    const { stdout } = await this.#session.exec(scriptArgv('facts'));
    return parseFacts(this.target, stdout);
  }

  statuses(units: readonly string[]) {
    return this.#ask((bus) => unitStatuses(bus, units));
  }

  async manifest() {
    const result = await this.#session.exec(scriptArgv('manifest'), { sudo: true });
    if (result.code !== 0)
      throw commandFailed(this.target, 'reading the manifest', result.code, result.stderr);
    return parseManifest(result.stdout);
  }

  async apply(change: FileChange) {
    const stdin = await packChange(change);
    checkApplied(this.target, await this.#session.exec(scriptArgv('apply'), { sudo: true, stdin }));
  }

  async settle(tickets: readonly string[]) {
    for (const ticket of tickets) assertTicket(ticket);
    const result = await this.#session.exec(scriptArgv('settle', ...tickets), { sudo: true });
    if (result.code !== 0)
      throw commandFailed(
        this.target,
        'noting that systemd has read the unit files',
        result.code,
        result.stderr,
      );
  }

  reload() {
    return this.#ask(reload);
  }

  start(units: readonly string[], block: boolean) {
    return this.#jobs('start', units, block);
  }

  stop(units: readonly string[], block: boolean) {
    return this.#jobs('stop', units, block);
  }

  restart(units: readonly string[], block: boolean) {
    return this.#jobs('restart', units, block);
  }

  forget(units: readonly string[]) {
    return this.#ask((bus) => forgetUnits(bus, units));
  }

  enable(units: readonly string[]) {
    return this.#ask((bus) => enableUnits(bus, units));
  }

  exec(...args: Parameters<Machine['exec']>) {
    return this.#session.exec(...args);
  }

  interactive(...args: Parameters<Machine['interactive']>) {
    return this.#session.interactive(...args);
  }

  async forward(to: { host: string; port: number } | { path: string }): Promise<Duplex> {
    const place = 'path' in to ? to.path : `${to.host}:${to.port}`;
    return await this.#session.stream(to).catch((error: unknown) => {
      if (error instanceof ClusterError) throw error;
      throw new ClusterError('machine-forward', `${place} cannot be reached from ${this.target.address}`, {
        machine: this.target.address,
        hint: 'check that it listens there, and that sshd allows AllowTcpForwarding and AllowStreamLocalForwarding',
        cause: error,
      });
    });
  }

  close() {
    this.#opening?.then((bus) => bus.close()).catch(() => undefined);
    this.#session.close();
    this.#transport.close();
  }

  #jobs(kind: JobKind, units: readonly string[], block: boolean): Promise<JobOutcome[]> {
    return this.#ask((bus) =>
      runJobs(bus, kind, units, block, (invocation, pid) => this.#journal(invocation, pid)),
    );
  }

  async #journal(invocation: string, mainPid: number): Promise<readonly string[]> {
    const argv = scriptArgv('journal', invocation, String(JOURNAL_LINES), String(mainPid));
    const { stdout } = await this.#session.exec(argv, { sudo: true });
    return stdout.split('\n').filter((line) => line !== '');
  }

  async #ask<T>(question: (bus: Bus) => Promise<T>): Promise<T> {
    try {
      this.#opening ??= this.#openBus();
      return await question(await this.#opening);
    } catch (error) {
      if (error instanceof ClusterError) throw error;
      if (error instanceof BusError) throw busUnavailable(this.target, error.message, error);
      if (error instanceof BusClosed) throw this.#session.lost(error);
      throw error;
    }
  }

  /** The bus socket itself where sshd and the login allow it, else the bridge that `systemctl -H` uses. */
  async #openBus(): Promise<Bus> {
    if (!this.#session.needsSudo) {
      // sshd sets TCP_NODELAY only once a command runs: without one the bus's small answers wait 40 ms each.
      this.#session.exec(['true']).catch(() => undefined);
      try {
        return await connectBus(await this.#session.stream({ path: BUS_SOCKET }));
      } catch (error) {
        if (error instanceof ClusterError) throw error;
      }
    }
    const { stream, said, ended } = await this.#session.bridge(['systemd-stdio-bridge'], true);
    try {
      return await connectBus(stream);
    } catch (error) {
      stream.end();
      // What it said may come a moment after its end.
      const end = await Promise.race([ended, sleep(LAST_WORDS_MS, null, { ref: false })]);
      stream.destroy();
      const refused = await this.#session.sudoError(said());
      if (refused !== null) throw refused;
      const why = end?.code === NOT_FOUND ? NO_BRIDGE : said().trim().split('\n').at(-1) || wordsOf(error);
      throw busUnavailable(this.target, why, error);
    }
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
