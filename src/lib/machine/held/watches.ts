import type { Machine, UnitChanges } from '../port.ts';

interface Watch {
  readonly changes: AsyncIterator<UnitChanges>;
  readonly abort: AbortController;
  readonly ended: () => void;
}

/** The watches of one client of a holder. Changes are asked for one by one, so that they are merged while it is busy. */
export class Watches {
  readonly #open = new Map<number, Watch>();
  #last = 0;

  /** @returns the number of the new watch. `ended` is called once, when it is over. */
  begin(machine: Machine, units: readonly string[] | undefined, ended: () => void): number {
    const abort = new AbortController();
    const options = { signal: abort.signal, ...(units && { units }) };
    const changes = machine.watch(options)[Symbol.asyncIterator]();
    this.#open.set(++this.#last, { changes, abort, ended });
    return this.#last;
  }

  /** The next changes; null where the watch is over. @throws what the machine's watch throws. */
  async next(number: number): Promise<UnitChanges | null> {
    const watch = this.#open.get(number);
    if (watch === undefined) return null;
    try {
      const { done, value } = await watch.changes.next();
      if (done !== true) return value;
    } catch (error) {
      this.end(number);
      throw error;
    }
    this.end(number);
    return null;
  }

  end(number: number): void {
    const watch = this.#open.get(number);
    if (watch === undefined) return;
    this.#open.delete(number);
    watch.abort.abort();
    // Ends a watch that nobody is reading; one that is being read ends by the signal.
    void watch.changes.return?.().catch(() => undefined);
    watch.ended();
  }

  endAll(): void {
    for (const number of [...this.#open.keys()]) this.end(number);
  }
}
