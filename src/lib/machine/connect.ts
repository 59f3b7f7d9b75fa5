import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../error.ts';
import { busUnavailable, commandFailed } from './errors.ts';
import { assertTicket, checkApplied, packChange, parseManifest } from './files/change.ts';
import { parseFacts } from './files/facts.ts';
import { scriptArgv } from './files/scripts.ts';
import type {
  FileChange,
  JobOutcome,
  JobWaiting,
  JournalChoice,
  JournalQuery,
  Machine,
  MachineTarget,
  SshOptions,
  UnitChanges,
  WatchOptions,
} from './port.ts';
import { openTransport } from './ssh/open.ts';
import { Session } from './ssh/session.ts';
import type { Transport } from './ssh/transport.ts';
import { unitAges } from './systemd/ages.ts';
import { analyzeUnit } from './systemd/analyze.ts';
import type { RunCommand } from './systemd/commands.ts';
import { type Bus, BusClosed, BusError, connectBus } from './systemd/dbus.ts';
import { withReasons } from './systemd/down.ts';
import { type JobKind, type ReadJournals, runJobs } from './systemd/jobs.ts';
import { failureJournals, followEntries, journalText, lastEntries } from './systemd/journal.ts';
import { enableUnits, forgetUnits, reload, unitStatuses } from './systemd/manager.ts';
import { unitReports } from './systemd/status.ts';
import { watchUnits } from './systemd/watch.ts';

const BUS_SOCKET = '/run/dbus/system_bus_socket';
const LAST_WORDS_MS = 1000;
/** A shell's exit code for a program that is not there. */
const NOT_FOUND = 127;
const NO_BRIDGE = 'sshd forwards no sockets for this login, and systemd-stdio-bridge is not installed there';

/**
 * Connects to a machine, checks its host key and logs in. The bus is opened when it is first needed.
 * @param mostMs how long one step of the login may take, where that is less than the settings say.
 */
export async function connectMachine(
  target: MachineTarget,
  options: SshOptions,
  mostMs?: number,
): Promise<Machine> {
  const open = () => openTransport(target, options);
  return new SshMachine(await openTransport(target, options, mostMs), target, open);
}

class SshMachine implements Machine {
  readonly target: MachineTarget;
  readonly #transport: Transport;
  readonly #session: Session;
  readonly #run: RunCommand = (...args) => this.#session.exec(...args);
  #opening: Promise<Bus> | undefined;

  constructor(transport: Transport, target: MachineTarget, dialMore: () => Promise<Transport>) {
    this.target = target;
    this.#transport = transport;
    this.#session = new Session(transport, target, dialMore);
  }

  async facts() {
    const { osRelease: _, prettyHostname: __, ...facts } = await this.details();
    return facts;
  }

  async details() {
    const { stdout } = await this.#session.exec(scriptArgv('facts'));
    return parseFacts(this.target, stdout);
  }

  statuses(units: readonly string[], reasons = false) {
    return this.#ask(async (bus) => {
      const statuses = await unitStatuses(bus, units);
      return reasons ? await withReasons(bus, statuses) : statuses;
    });
  }

  ages(units: readonly string[]) {
    return this.#ask((bus) => unitAges(bus, units));
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

  start(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('start', units, block, waiting);
  }

  stop(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('stop', units, block, waiting);
  }

  restart(units: readonly string[], block: boolean, waiting?: JobWaiting) {
    return this.#jobs('restart', units, block, waiting);
  }

  forget(units: readonly string[]) {
    return this.#ask((bus) => forgetUnits(bus, units));
  }

  enable(units: readonly string[]) {
    return this.#ask((bus) => enableUnits(bus, units));
  }

  status(units: readonly string[]) {
    return unitReports(this.#run, units);
  }

  journal(query: JournalQuery) {
    return lastEntries(this.#run, this.target, query);
  }

  followJournal(query: JournalQuery, signal: AbortSignal) {
    return followEntries(this.#run, this.target, query, signal);
  }

  journalText(unit: string, options: JournalChoice & { readonly output: string }) {
    return journalText(this.#run, this.target, unit, options);
  }

  analyze(unit: string, text: string) {
    return analyzeUnit(this.#run, unit, text);
  }

  async *watch(options?: WatchOptions): AsyncGenerator<UnitChanges, void, void> {
    try {
      yield* watchUnits(await this.#bus(), options);
    } catch (error) {
      throw this.#explained(error);
    }
  }

  exec(...args: Parameters<Machine['exec']>) {
    return this.#session.exec(...args);
  }

  interactive(...args: Parameters<Machine['interactive']>) {
    return this.#session.interactive(...args);
  }

  async forward(to: { host: string; port: number } | { path: string }): Promise<Duplex> {
    const address = 'path' in to ? to.path : `${to.host}:${to.port}`;
    return await this.#session.stream(to).catch((error: unknown) => {
      if (error instanceof ClusterError) throw error;
      throw new ClusterError('machine-forward', `${address} cannot be reached from ${this.target.address}`, {
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

  #jobs(
    kind: JobKind,
    units: readonly string[],
    block: boolean,
    waiting?: JobWaiting,
  ): Promise<JobOutcome[]> {
    const journals: ReadJournals = (runs) => failureJournals(this.#run, runs);
    return this.#ask((bus) => runJobs(bus, kind, units, block, journals, waiting));
  }

  async #ask<T>(question: (bus: Bus) => Promise<T>): Promise<T> {
    try {
      return await question(await this.#bus());
    } catch (error) {
      throw this.#explained(error);
    }
  }

  #bus(): Promise<Bus> {
    this.#opening ??= this.#openBus();
    return this.#opening;
  }

  #explained(error: unknown): unknown {
    if (error instanceof BusError) return busUnavailable(this.target, error.message, error);
    return error instanceof BusClosed ? this.#session.lost(error) : error;
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
