/** Wakes one loop: any number of calls of `wake` before the loop looks again are one reason to look. */
export class Wakeup {
  #pending = false;
  #resume: (() => void) | undefined;

  wake(): void {
    this.#pending = true;
    this.#resume?.();
  }

  /** Resolves when `wake` was called since the last time, or when the signal aborts. For one waiter at a time. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#pending && !signal.aborted) await this.#called(signal);
    this.#pending = false;
  }

  async #called(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#resume = undefined;
        resolve();
      };
      this.#resume = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
