interface Asked<Item, Answer> {
  readonly item: Item;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/** Answers questions that come within a few milliseconds of each other together. */
export class Gather<Item, Answer> {
  readonly #ms: number;
  readonly #answer: (items: readonly Item[]) => Promise<readonly Answer[]>;
  #asked: Asked<Item, Answer>[] = [];

  /** @param answer one answer for each item, in order. */
  constructor(ms: number, answer: (items: readonly Item[]) => Promise<readonly Answer[]>) {
    this.#ms = ms;
    this.#answer = answer;
  }

  ask(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#asked.push({ item, resolve, reject }) === 1) setTimeout(() => void this.#run(), this.#ms);
    });
  }

  async #run(): Promise<void> {
    const asked = this.#asked;
    this.#asked = [];
    try {
      const answers = await this.#answer(asked.map(({ item }) => item));
      for (const [index, { resolve }] of asked.entries()) resolve(answers[index]!);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
