import { setTimeout as sleep } from 'node:timers/promises';
import type { Troubles } from '../discovery/troubles.ts';
import { ClusterError } from '../error.ts';
import type { Lease, Store } from '../store/port.ts';

export interface TenureOptions {
  readonly store: Store;
  readonly ttlSeconds: number;
  readonly refreshSeconds: number;
  /** A new lease: what hung on the one before is gone, or about to be. */
  readonly renewed: (lease: string) => void;
  readonly troubles: Troubles;
}

const AGAIN_MS = 500;

/** Holds a lease for as long as the store lets us, and takes a new one where it did not. */
export class Tenure {
  readonly #options: TenureOptions;
  #lease: Lease | undefined;
  #pause = new AbortController();

  constructor(options: TenureOptions) {
    this.#options = options;
  }

  /** Returns when the signal aborts. The lease is left to run out, after one more time to its full length. */
  async hold(signal: AbortSignal): Promise<void> {
    const { refreshSeconds, troubles } = this.#options;
    while (!signal.aborted) {
      let wait = refreshSeconds * 1000;
      try {
        await this.#refresh();
        troubles.over('lease');
      } catch (error) {
        troubles.met('lease', error);
        wait = Math.min(wait, AGAIN_MS);
      }
      this.#pause = new AbortController();
      const either = AbortSignal.any([signal, this.#pause.signal]);
      await sleep(wait, undefined, { signal: either }).catch(() => undefined);
    }
    await this.#lease?.keepAlive().catch(() => undefined);
  }

  /** Looks at once whether the lease is still there. */
  hurry(): void {
    this.#pause.abort();
  }

  async #refresh(): Promise<void> {
    try {
      if (this.#lease !== undefined) return await this.#lease.keepAlive();
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'lease-expired') throw error;
    }
    const { store, ttlSeconds, renewed } = this.#options;
    this.#lease = await store.lease(ttlSeconds);
    renewed(this.#lease.id);
  }
}
