/** Workers of earlier configurations that only finish their connections. */
export interface Draining {
  readonly pid: number;
  /** ISO 8601, when a reload replaced it, as far as this process knows. */
  readonly since: string;
}

/** Knows those workers, and how many there may be. */
export class DrainingWorkers {
  readonly #most: number;
  readonly #since = new Map<number, string>();

  constructor(most: number) {
    this.#most = most;
  }

  list(): Draining[] {
    return [...this.#since].map(([pid, since]) => ({ pid, since }));
  }

  /** @param pids those that run, the oldest first. @returns those that are too many. */
  note(pids: readonly number[], now: string): readonly number[] {
    for (const pid of this.#since.keys()) if (!pids.includes(pid)) this.#since.delete(pid);
    for (const pid of pids) if (!this.#since.has(pid)) this.#since.set(pid, now);
    return pids.slice(0, Math.max(0, pids.length - this.#most));
  }
}
