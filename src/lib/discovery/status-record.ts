import { ClusterError } from '../error.ts';
import { Backoff, type Outage, pause, Wakeup } from '../keep/index.ts';
import type { RegistratorRecord, RegistratorRegistry } from '../registry/index.ts';

export interface StatusRecordOptions {
  readonly registry: RegistratorRegistry;
  readonly machine: string;
  readonly hostname: string;
  /** The store says that our lease is gone. */
  readonly leaseLost: () => void;
  readonly outage: Outage;
}

/** The name of this part of the registrator in the store's outage. */
const PART = 'status';
/** A record is no journal: more than this would not be read either. */
const MOST_PROBLEMS = 100;
const MOST_CHARACTERS = 400;
/** At most one write in this time, always of the newest record. */
const WRITE_INTERVAL_MS = 200;

/** Keeps what operators want to know of this registrator in the registry, on its lease. */
export class StatusRecord {
  readonly #options: StatusRecordOptions;
  readonly #wakeup = new Wakeup();
  /** By who found them. */
  readonly #problems = new Map<string, readonly string[]>();
  #announced: number | undefined;
  #lease: string | undefined;
  #written = '';

  constructor(options: StatusRecordOptions) {
    this.#options = options;
  }

  setLease(lease: string): void {
    this.#lease = lease;
    this.#written = '';
    this.#wakeup.wake();
  }

  setAnnounced(count: number): void {
    this.#announced = count;
    this.#wakeup.wake();
  }

  /** These and no others are the problems that one part knows of now. */
  setProblems(part: string, problems: readonly string[]): void {
    this.#problems.set(part, problems);
    this.#wakeup.wake();
  }

  /** Writes the record whenever it changes, until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { registry, leaseLost, outage } = this.#options;
    const backoff = new Backoff({ mostMs: 1000 });
    for (;;) {
      await this.#wakeup.wait(signal);
      if (signal.aborted) return;
      const [record, lease] = [this.#record(), this.#lease];
      const text = JSON.stringify(record);
      if (record === null || lease === undefined || text === this.#written) continue;
      try {
        await registry.put(record, lease);
        if (lease === this.#lease) this.#written = text;
        backoff.reset();
        outage.recovered(PART);
        await pause(WRITE_INTERVAL_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ClusterError && error.code === 'lease-expired') leaseLost();
        else outage.failed(PART, error);
        await pause(backoff.next(), signal);
        this.#wakeup.wake();
      }
    }
  }

  /** null until the containers were listed. */
  #record(): RegistratorRecord | null {
    const { machine, hostname } = this.#options;
    if (this.#announced === undefined) return null;
    const all = [...new Set([...this.#problems.values()].flat())].sort();
    const problems = all.slice(0, MOST_PROBLEMS).map((problem) => problem.slice(0, MOST_CHARACTERS));
    return { v: 1, machine, hostname, announced: this.#announced, problems };
  }
}
