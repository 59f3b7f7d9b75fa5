/** Reports each problem once for as long as it lasts; one that went and came back is reported again. */
export class ProblemList {
  readonly #report: (problem: string) => void;
  #known = new Set<string>();

  constructor(report: (problem: string) => void) {
    this.#report = report;
  }

  /** These and no others are the problems now. */
  set(problems: Iterable<string>): void {
    const now = new Set(problems);
    for (const problem of now) if (!this.#known.has(problem)) this.#report(problem);
    this.#known = now;
  }
}
