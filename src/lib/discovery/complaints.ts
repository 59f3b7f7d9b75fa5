/** Says each problem once, for as long as it lasts. */
export class Complaints {
  readonly #say: (problem: string) => void;
  #known = new Set<string>();

  constructor(say: (problem: string) => void) {
    this.#say = say;
  }

  /** These and no others are problems now. */
  report(problems: Iterable<string>): void {
    const now = new Set(problems);
    for (const problem of now) if (!this.#known.has(problem)) this.#say(problem);
    this.#known = now;
  }
}
