import { afterProbe, type Health, type ProbeResult, UNKNOWN } from './offers/health.ts';

/** Something whose health is probed at intervals. */
export interface Target {
  /** A target with the same key and `signature` as before keeps its health and its schedule. */
  readonly key: string;
  readonly signature: string;
  readonly intervalMs: number;
  readonly rise: number;
  readonly fall: number;
  /** Its container has just started: probed at once, and not unhealthy while nothing listens in it yet. */
  readonly fresh: boolean;
  /** Never rejects, and takes no longer than the interval. */
  probe(): Promise<ProbeResult>;
}

export interface CheckerOptions {
  /** Called at every change of health; `before: null` = it was not known. */
  readonly changed: (target: Target, up: boolean, result: ProbeResult, before: boolean | null) => void;
  /** 0 to 1; for the jitter of first probes. */
  readonly random?: () => number;
}

/** First probes are spread so that about 200 start in a second. */
const SPREAD_MS = 5;
const START_PAUSES_MS = [50, 100, 200, 400, 800];

/** Probes any number of targets, each at start + n x interval, and none again before its last probe has ended. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #rounds = new Map<string, Round>();

  constructor(options: CheckerOptions) {
    this.#options = options;
  }

  /** These and no others are probed from now on. */
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
    this.#timer = setTimeout(() => this.#probe(), delayMs);
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  async #probe(): Promise<void> {
    const result = await this.target.probe();
    if (this.#ended) return;
    if (this.#isStarting(result)) {
      const pause = START_PAUSES_MS[Math.min(this.#refusals++, START_PAUSES_MS.length - 1)];
      this.#timer = setTimeout(() => this.#probe(), pause);
      return;
    }
    this.#judge(result);
    if (!this.#ended) this.#next();
  }

  #isStarting(result: ProbeResult): boolean {
    const { fresh, intervalMs } = this.target;
    const young = performance.now() - this.#start < intervalMs;
    return fresh && young && result.refused === true && this.health.last === null;
  }

  #judge(result: ProbeResult): void {
    const before = this.health.up;
    this.health = afterProbe(this.health, result.good, this.target);
    if (this.health.up === null || this.health.up === before) return;
    this.#changed(this.target, this.health.up, result, before);
  }

  /** At the next start + n x interval, however long the last probe took. */
  #next(): void {
    const { intervalMs } = this.target;
    const passed = performance.now() - this.#start;
    this.#n = Math.max(this.#n + 1, Math.ceil(passed / intervalMs));
    this.#timer = setTimeout(() => this.#probe(), this.#start + this.#n * intervalMs - performance.now());
  }
}
