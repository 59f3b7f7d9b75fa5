import { type HollowJob, type HollowUnit, type JobType, refusal } from './unit-state.ts';
import type { UnitTable } from './unit-table.ts';

/** The jobs of a simulated systemd: at most one per unit, with a signal when it begins and one when it ends. */
export class JobQueue {
  readonly jobs = new Map<number, HollowJob>();
  readonly #units: UnitTable;
  readonly #run: (unit: HollowUnit, job: HollowJob) => void;
  #nextJob = 1;

  /** `run` begins a job's work, which calls `finish` or `finishQuietly` when it has ended. */
  constructor(units: UnitTable, run: (unit: HollowUnit, job: HollowJob) => void) {
    this.#units = units;
    this.#run = run;
  }

  enqueue(type: JobType, name: string): HollowJob {
    const unit = this.#units.load(name);
    const refused = refusal(unit, type);
    if (refused) throw refused;
    const running = unit.job;
    if (running?.type === type) return running;
    if (running) this.finish(unit, 'canceled');
    const job = this.#made(type, name);
    unit.job = job;
    this.#units.hold(unit);
    this.jobs.set(job.id, job);
    this.#units.emit({ kind: 'job-new', id: job.id, unit: name, result: '' });
    this.#run(unit, job);
    return job;
  }

  /** The job, or null where systemd would refuse it or where there is nothing to stop. */
  tryEnqueue(type: JobType, name: string): HollowJob | null {
    if (type === 'stop' && (this.#units.peek(name)?.active ?? 'inactive') === 'inactive') return null;
    try {
      return this.enqueue(type, name);
    } catch {
      return null;
    }
  }

  finish(unit: HollowUnit, result: string, job: HollowJob | null = unit.job): void {
    this.finishQuietly(unit, job, result, () => {});
    this.#units.collect(unit);
    if (unit.active === 'inactive' && job?.type === 'stop' && this.#units.isUpheld(unit.name))
      this.tryEnqueue('start', unit.name);
  }

  /** The state is set before JobRemoved goes out: a client that asks then must see how it ended. */
  finishQuietly(unit: HollowUnit, job: HollowJob | null, result: string, settleState: () => void): void {
    if (unit.job === job) unit.job = null;
    settleState();
    if (!job || job.result !== null) return;
    job.result = result;
    this.jobs.delete(job.id);
    this.#units.emit({ kind: 'job-removed', id: job.id, unit: unit.name, result });
    job.settle(result);
  }

  #made(type: JobType, unit: string): HollowJob {
    let settle: (result: string) => void = () => {};
    const done = new Promise<string>((resolve) => {
      settle = resolve;
    });
    return { id: this.#nextJob++, type, unit, done, settle, result: null };
  }
}
