import type { MachineName, PendingJob } from '../event.ts';
import type { Session } from '../session.ts';

const LOOK_MS = 1000;

/** The jobs that a run waits for. While there are any, an event names them every second. */
export class Waits {
  readonly #session: Session;
  readonly #pending = new Map<
    string,
    { readonly job: Omit<PendingJob, 'seconds'>; readonly since: number }
  >();
  #timer: NodeJS.Timeout | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  begin(machine: MachineName, job: PendingJob['job'], units: readonly string[]): void {
    const since = performance.now();
    for (const unit of units)
      this.#pending.set(`${machine.id} ${unit}`, { job: { unit, machine, job }, since });
    this.#timer ??= setInterval(() => this.#tell(), LOOK_MS);
  }

  /** The job of this unit ended, or nobody waits for it any more. */
  end(machine: MachineName, unit: string): void {
    if (!this.#pending.delete(`${machine.id} ${unit}`) || this.#pending.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#session.emit({ kind: 'pending', jobs: [] });
  }

  #tell(): void {
    const now = performance.now();
    const jobs = [...this.#pending.values()].map(
      ({ job, since }): PendingJob => ({ ...job, seconds: Math.floor((now - since) / 1000) }),
    );
    this.#session.emit({ kind: 'pending', jobs });
  }
}
