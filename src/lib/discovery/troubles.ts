/** What stands between us and the store, from several sides: said once each, and once that it is over. */
export class Troubles {
  readonly #say: (message: string) => void;
  readonly #of = new Map<string, string>();

  constructor(say: (message: string) => void) {
    this.#say = say;
  }

  /** It failed to do `what`. */
  met(what: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const known = [...this.#of.values()].includes(message);
    this.#of.set(what, message);
    if (!known) this.#say(message);
  }

  /** `what` was done. */
  over(what: string): void {
    if (this.#of.delete(what) && this.#of.size === 0) this.#say('the store is back');
  }
}
