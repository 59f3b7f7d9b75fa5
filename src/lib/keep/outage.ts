import type { Report } from './reporter.ts';

/**
 * Something that several parts of a process need and that can be away, such as the store. That it is away is reported
 * once, with the reason; a new reason is reported once more; that it is back is reported when every part that failed
 * has succeeded again.
 */
export class Outage {
  readonly #what: string;
  readonly #report: Pick<Report, 'info' | 'warning'>;
  readonly #failing = new Set<string>();
  readonly #reported = new Set<string>();

  /** @param what as it stands in a sentence: `the store`. */
  constructor(what: string, report: Pick<Report, 'info' | 'warning'>) {
    this.#what = what;
    this.#report = report;
  }

  get active(): boolean {
    return this.#failing.size > 0;
  }

  /** This part of the process could not do its work. */
  failed(part: string, error: unknown): void {
    this.#failing.add(part);
    const reason = error instanceof Error ? error.message : String(error);
    if (this.#reported.has(reason)) return;
    this.#reported.add(reason);
    this.#report.warning(`${this.#what} is away: ${reason}`);
  }

  /** This part of the process did its work. */
  recovered(part: string): void {
    if (!this.#failing.delete(part) || this.active) return;
    this.#reported.clear();
    this.#report.info(`${this.#what} is back`);
  }
}
