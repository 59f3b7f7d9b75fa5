import { JobQueue } from './jobs.ts';
import type { HollowJournal } from './journal.ts';
import { Lifecycle } from './lifecycle.ts';
import { UnitJournal } from './unit-journal.ts';
import {
  BusError,
  type HollowJob,
  type HollowUnit,
  type JobType,
  type SystemdSignal,
  type UnitFiles,
} from './unit-state.ts';
import { UnitTable } from './unit-table.ts';

export interface HollowSystemdOptions extends UnitFiles {
  readonly journal: HollowJournal;
  /** How long each simulated step takes. */
  readonly delayMs?: number;
  /** RestartSec= of every unit. */
  readonly restartMs?: number;
}

/**
 * A simulated systemd: units, jobs and states in memory, no process, no socket. It follows systemd's rules where a client
 * can see them (job results, signals, stale definitions until a reload, garbage collection) and no further.
 */
export class HollowSystemd {
  readonly #units: UnitTable;
  readonly #queue: JobQueue;
  readonly #life: Lifecycle;

  constructor(options: HollowSystemdOptions) {
    const { journal, delayMs = 1, restartMs = 100, ...files } = options;
    this.#units = new UnitTable(files);
    this.#queue = new JobQueue(this.#units, (unit, job) => this.#life.run(unit, job));
    this.#life = new Lifecycle(this.#units, this.#queue, new UnitJournal(journal), { delayMs, restartMs });
  }

  /** Jobs that are queued or running, by their ids. */
  get jobs(): ReadonlyMap<number, HollowJob> {
    return this.#queue.jobs;
  }

  /** Calls `tell` for each signal until the returned function is called. */
  listen(tell: (signal: SystemdSignal) => void): () => void {
    return this.#units.listen(tell);
  }

  /** Units in memory, as ListUnits has them: running, failed, with a job, or wanted by an active target. */
  loaded(): HollowUnit[] {
    return this.#units.loaded();
  }

  /** The unit if it is in memory. */
  peek(name: string): HollowUnit | undefined {
    return this.#units.peek(name);
  }

  /** The unit, read from its file when it is not in memory; load `not-found` when there is no file. */
  load(name: string): HollowUnit {
    return this.#units.load(name);
  }

  /** Queues a job, as StartUnit, StopUnit and RestartUnit do; throws the BusError that systemd would answer. */
  enqueue(type: JobType, name: string): HollowJob {
    return this.#queue.enqueue(type, name);
  }

  /** Reads every unit file again, as daemon-reload does. Running units whose file is gone go on as `not-found`. */
  reload(): void {
    this.#units.reload();
  }

  /** Forgets a failure. */
  resetFailed(name: string): void {
    const unit = this.#units.peek(name);
    if (!unit) throw new BusError('org.freedesktop.systemd1.NoSuchUnit', `Unit ${name} not loaded.`);
    unit.autoRestarts = [];
    unit.restarts = 0;
    if (unit.active === 'failed') this.#units.become(unit, 'inactive', 'dead');
    unit.result = 'success';
    this.#units.collect(unit);
  }

  /** Ends a running unit's process from outside, as `kill -SIGNAL` would; false when nothing runs. */
  kill(name: string, signal = 'SIGKILL'): boolean {
    const unit = this.#units.peek(name);
    if (!unit || unit.mainPid === 0) return false;
    this.#life.ended(unit, { code: 0, signal });
    return true;
  }

  /** Power off: every timer stopped, every unit forgotten, no signal sent. */
  halt(): void {
    this.#life.halt();
    this.#units.forget();
    this.#queue.jobs.clear();
  }
}
