/** Rung any number of times, it wakes its one listener once. */
export class Bell {
  #rung = false;
  #heard: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#heard?.();
  }

  /** Returns when it was rung since the last time. */
  async wait(): Promise<void> {
    if (!this.#rung)
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    this.#rung = false;
    this.#heard = undefined;
  }
}
