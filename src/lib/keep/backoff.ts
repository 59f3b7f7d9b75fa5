export interface BackoffOptions {
  readonly firstMs: number;
  readonly mostMs: number;
  /** 0 to 1. */
  readonly random?: () => number;
}

const STANDARD: BackoffOptions = { firstMs: 200, mostMs: 2000 };

/**
 * How long to wait before the next try: twice as long each time, up to a bound. Up to a quarter is taken off at random,
 * so that processes that lost the same server do not all return at the same moment.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: Partial<BackoffOptions> = {}) {
    this.#options = { ...STANDARD, ...options };
  }

  /** Milliseconds until the next try. */
  next(): number {
    const { firstMs, mostMs, random = Math.random } = this.#options;
    const ms = Math.min(mostMs, firstMs * 2 ** this.#failures);
    // Past this many doublings every bound is reached, and the power would overflow one day.
    this.#failures = Math.min(this.#failures + 1, 30);
    return ms * (1 - random() / 4);
  }

  /** It worked: the next failure waits for the shortest time again. */
  reset(): void {
    this.#failures = 0;
  }
}

/** Resolves after `ms`, or at once when the signal aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
