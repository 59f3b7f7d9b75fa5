import type { BreakerMetrics } from '../../route/index.ts';

const SECOND = 1000;
const SECONDS = 10;
/** Latencies are kept to within 2 %: each step of the histogram is that much longer than the one before. */
const STEP = Math.log(1.02);

interface Second {
  start: number;
  total: number;
  networkErrors: number;
  readonly codes: Map<number, number>;
  readonly latencies: Map<number, number>;
}

/** One answered request. */
export interface Sample {
  readonly status: number;
  readonly networkError: boolean;
  /** Milliseconds; less than 0 = not known. */
  readonly latencyMs: number;
}

/** The last ten seconds of a frontend's answers, second by second. Times are milliseconds of any steady clock. */
export class Window {
  #seconds: Second[] = [];

  record(now: number, { status, networkError, latencyMs }: Sample): void {
    const second = this.#second(now);
    second.total++;
    if (networkError) second.networkErrors++;
    second.codes.set(status, (second.codes.get(status) ?? 0) + 1);
    if (latencyMs < 0) return;
    const step = Math.floor(Math.log(latencyMs + 1) / STEP);
    second.latencies.set(step, (second.latencies.get(step) ?? 0) + 1);
  }

  clear(): void {
    this.#seconds = [];
  }

  metrics(now: number): BreakerMetrics {
    const seconds = this.#seconds.filter(({ start }) => start > now - SECONDS * SECOND);
    const sum = (count: (second: Second) => number): number =>
      seconds.reduce((total, second) => total + count(second), 0);
    const codes = (from: number, below: number): number =>
      sum((second) => {
        let count = 0;
        for (const [code, times] of second.codes) if (code >= from && code < below) count += times;
        return count;
      });
    return {
      networkErrorRatio: ratio(
        sum((second) => second.networkErrors),
        sum((second) => second.total),
      ),
      codeRatio: (a, b, c, d) => ratio(codes(a, b), codes(c, d)),
      latencyMs: (quantile) => quantileOf(seconds, quantile),
    };
  }

  #second(now: number): Second {
    const start = now - (now % SECOND);
    const last = this.#seconds.at(-1);
    if (last !== undefined && last.start >= start) return last;
    const made: Second = { start, total: 0, networkErrors: 0, codes: new Map(), latencies: new Map() };
    this.#seconds = [...this.#seconds.slice(1 - SECONDS), made];
    return made;
  }
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function quantileOf(seconds: readonly Second[], quantile: number): number {
  const steps = new Map<number, number>();
  for (const { latencies } of seconds)
    for (const [step, times] of latencies) steps.set(step, (steps.get(step) ?? 0) + times);
  const total = [...steps.values()].reduce((sum, times) => sum + times, 0);
  let seen = 0;
  for (const [step, times] of [...steps].sort(([a], [b]) => a - b)) {
    seen += times;
    if (seen * 100 >= total * quantile) return Math.exp(step * STEP) - 1;
  }
  return 0;
}
