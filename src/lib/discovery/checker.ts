import { type Answer, afterAnswer, type Health, UNKNOWN } from './offers/health.ts';

/** Something that is asked again and again. */
export interface Target {
  /** A target with the same key and the same `signature` goes on as it was. */
  readonly key: string;
  readonly signature: string;
  readonly intervalMs: number;
  readonly rise: number;
  readonly fall: number;
  /** Its container has just started: asked at once, and not called sick while nothing listens in it yet. */
  readonly fresh: boolean;
  /** Never rejects, and takes no longer than the interval. */
  probe(): Promise<Answer>;
}

export interface CheckerOptions {
  /** Hears of every change of health; `before: null` = was not known. */
  readonly changed: (target: Target, up: boolean, answer: Answer, before: boolean | null) => void;
  /** 0 to 1; for the jitter of first checks. */
  readonly random?: () => number;
}

/** First checks are spread so that about 200 start in a second. */
const SPREAD_MS = 5;
const START_PAUSES_MS = [50, 100, 200, 400, 800];

/** Asks any number of targets, each on its own grid of start + n x interval, and none while it still has to answer. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #rounds = new Map<string, Round>();

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** From now on these and no others. */
  set(targets: Iterable<Target>): void {
    const wanted = new Map([...targets].map((target) => [target.key, target]));
    for (const [key, round] of this.#rounds) {
      if (wanted.get(key)?.signature === round.target.signature) continue;
      round.end();
      this.#rounds.delete(key);
    }
    const { random = Math.random } = this.#options;
    for (const [key, target] of wanted) {
      if (this.#rounds.has(key)) continue;
      const spread = target.fresh ? 0 : Math.min(target.intervalMs, wanted.size * SPREAD_MS);
      this.#rounds.set(key, new Round(target, random() * spread, this.#options.changed));
    }
  }

  /** null = not known, or no such target. */
  up(key: string): boolean | null {
    return this.#rounds.get(key)?.health.up ?? null;
  }

  stop(): void {
    this.set([]);
  }
}

class Round {
  readonly target: Target;
  health: Health = UNKNOWN;
  readonly #changed: CheckerOptions['changed'];
  readonly #start: number;
  #timer: NodeJS.Timeout;
  #n = 0;
  #ended = false;
  /** Refusals while the container was starting. */
  #refusals = 0;

  constructor(target: Target, delayMs: number, changed: CheckerOptions['changed']) {
    this.target = target;
    this.#changed = changed;
    this.#start = performance.now() + delayMs;
    this.#timer = setTimeout(() => this.#ask(), delayMs);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const answer = await this.target.probe();
    if (this.#ended) return;
    if (this.#isStarting(answer)) {
      const pause = START_PAUSES_MS[Math.min(this.#refusals++, START_PAUSES_MS.length - 1)];
      this.#timer = setTimeout(() => this.#ask(), pause);
      return;
    }
    this.#judge(answer);
    if (!this.#ended) this.#next();
  }

  #isStarting(answer: Answer): boolean {
    const { fresh, intervalMs } = this.target;
    const young = performance.now() - this.#start < intervalMs;
    return fresh && young && answer.refused === true && this.health.last === null;
  }

  #judge(answer: Answer): void {
    const before = this.health.up;
    this.health = afterAnswer(this.health, answer.good, this.target);
    if (this.health.up === null || this.health.up === before) return;
    this.#changed(this.target, this.health.up, answer, before);
  }

  /** The next point of the grid, however long the last answer took. */
  #next(): void {
    const { intervalMs } = this.target;
    const passed = performance.now() - this.#start;
    this.#n = Math.max(this.#n + 1, Math.ceil(passed / intervalMs));
    this.#timer = setTimeout(() => this.#ask(), this.#start + this.#n * intervalMs - performance.now());
  }
}
