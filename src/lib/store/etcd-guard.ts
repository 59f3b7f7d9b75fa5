import { setTimeout as sleep } from 'node:timers/promises';

/** How often an endpoint with open streams is asked, and how long it may take to answer. */
const EVERY_MS = 1000;
const ANSWER_MS = 1500;
/** Every so many questions the endpoint that would come next is asked too, so that its connection is ready. */
const WARM_EVERY = 10;

interface Asked {
  /** False where the endpoint gives no answer that shows it is well; does not reject. */
  answers(): Promise<boolean>;
}

/**
 * Watches over an endpoint that has open streams: a stream on which nothing happens looks the same whether its server is
 * well, frozen, or cut off from here or from the other members.
 */
export class EtcdGuard {
  readonly #endpoint: Asked;
  readonly #next: Asked;
  readonly #losses = new Set<() => void>();
  #ending: AbortController | undefined;

  /** @param next the endpoint that is used when this one is gone. */
  constructor(endpoint: Asked, next: Asked) {
    this.#endpoint = endpoint;
    this.#next = next;
  }

  /** Calls `lost` once when the endpoint does not answer. @returns what ends this. */
  watch(lost: () => void): () => void {
    this.#losses.add(lost);
    if (this.#ending === undefined) {
      this.#ending = new AbortController();
      void this.#run(this.#ending.signal);
    }
    return () => {
      if (!this.#losses.delete(lost) || this.#losses.size > 0) return;
      this.#ending?.abort();
      this.#ending = undefined;
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (let count = 0; !signal.aborted; count++) {
      const isWell = await inTime(ANSWER_MS, this.#endpoint.answers());
      if (signal.aborted) return;
      if (!isWell) {
        const losses = [...this.#losses];
        this.#losses.clear();
        this.#ending = undefined;
        for (const lost of losses) lost();
        return;
      }
      if (count % WARM_EVERY === 0) void this.#next.answers();
      await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

/** False when it takes longer. An answer that arrived while this process was busy counts. */
async function inTime(ms: number, answer: Promise<boolean>): Promise<boolean> {
  const ended = new AbortController();
  const late = sleep(ms, false, { signal: ended.signal, ref: false })
    .then(() => new Promise<boolean>((resolve) => setImmediate(resolve, false)))
    .catch(() => false);
  return await Promise.race([answer, late]).finally(() => ended.abort());
}
