import { ClusterError } from '../error.ts';
import type { Lease } from '../store/port.ts';
import { Backoff, pause } from './backoff.ts';
import type { Outage } from './outage.ts';

export interface LeaseHolderOptions {
  /** Asks the store for a new lease. */
  readonly grant: (ttlSeconds: number) => Promise<Lease>;
  readonly ttlSeconds: number;
  /** Time between two renewals; less than the ttl. */
  readonly refreshSeconds: number;
  /** There is a new lease with this id. What hung on the one before is gone, or will be soon. */
  readonly granted: (lease: string) => void;
  /** The lease is gone, or has not been renewed for its whole ttl, so that it must be taken for gone. */
  readonly lost?: () => void;
  readonly outage: Outage;
}

/** The name of this part of a process in its outage. */
const PART = 'lease';

/** Holds a lease: has it granted, renews it, and has another one granted when it was lost. */
export class LeaseHolder {
  readonly #options: LeaseHolderOptions;
  readonly #backoff: Backoff;
  #lease: Lease | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #failing = false;
  #sleep = new AbortController();

  constructor(options: LeaseHolderOptions) {
    this.#options = options;
    const most = Math.min(1000, options.refreshSeconds * 1000);
    this.#backoff = new Backoff({ firstMs: most / 4, mostMs: most });
  }

  /**
   * Runs until the signal aborts. The lease is not revoked then but renewed once more, so that what hangs on it stays
   * for one more ttl.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { refreshSeconds, outage } = this.#options;
    while (!signal.aborted) {
      this.#sleep = new AbortController();
      let waitMs = refreshSeconds * 1000;
      try {
        await this.#refresh();
        this.#failing = false;
        this.#backoff.reset();
        outage.recovered(PART);
      } catch (error) {
        if (signal.aborted) break;
        this.#failing = true;
        waitMs = this.#backoff.next();
        outage.failed(PART, error);
      }
      await pause(waitMs, AbortSignal.any([signal, this.#sleep.signal]));
    }
    // A store that is away would only delay the end.
    if (!this.#failing) await this.#lease?.keepAlive().catch(() => undefined);
    clearTimeout(this.#expiry);
  }

  /** Somebody learned that the lease may be gone: looks at once. */
  checkNow(): void {
    this.#sleep.abort();
  }

  /** Ends the lease, and what hangs on it, at once. Call it after `run` has ended. */
  async revoke(): Promise<void> {
    await this.#lease?.revoke().catch(() => undefined);
    this.#lease = undefined;
  }

  async #refresh(): Promise<void> {
    if (this.#lease !== undefined && (await this.#renew(this.#lease))) return;
    const { grant, ttlSeconds, granted } = this.#options;
    const asked = performance.now();
    const lease = await grant(ttlSeconds);
    this.#lease = lease;
    this.#expireFrom(asked);
    granted(lease.id);
  }

  /** false = the store says that it is gone. */
  async #renew(lease: Lease): Promise<boolean> {
    const asked = performance.now();
    try {
      await lease.keepAlive();
    } catch (error) {
      if (!(error instanceof ClusterError) || error.code !== 'lease-expired') throw error;
      this.#lose(lease);
      return false;
    }
    // It was taken for gone while the answer was on its way.
    if (this.#lease !== lease) return false;
    this.#expireFrom(asked);
    return true;
  }

  /** The store counts from when it answers, which is never earlier than when it was asked. */
  #expireFrom(asked: number): void {
    const lease = this.#lease;
    clearTimeout(this.#expiry);
    if (lease === undefined) return;
    const leftMs = this.#options.ttlSeconds * 1000 - (performance.now() - asked);
    this.#expiry = setTimeout(() => this.#lose(lease), leftMs);
  }

  #lose(lease: Lease): void {
    if (this.#lease !== lease) return;
    clearTimeout(this.#expiry);
    this.#lease = undefined;
    this.#options.lost?.();
  }
}
