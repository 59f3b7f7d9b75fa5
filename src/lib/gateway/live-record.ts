import { ClusterError } from '../error.ts';
import { Backoff, LeaseHolder, type Outage, pause, together, Wakeup } from '../keep/index.ts';
import type { GatewayRecord, GatewayRegistry } from '../registry/index.ts';

const TTL_SECONDS = 11;
const REFRESH_SECONDS = 3.5;
/** At most one write per interval, always of the newest record. */
const WRITE_INTERVAL_MS = 20;
/** The name of this part of the gateway in the store's outage. */
const PART = 'record';

/** Keeps a gateway's record in the registry, on a lease, for as long as the gateway runs. */
export class LiveRecord {
  readonly #registry: GatewayRegistry;
  readonly #outage: Outage;
  readonly #leaseHolder: LeaseHolder;
  readonly #ended = new AbortController();
  readonly #wakeup = new Wakeup();
  #record: GatewayRecord;
  #written: GatewayRecord | null = null;
  #lease: string | null = null;
  #running: Promise<void> | undefined;

  /** `recheck`: the lease was lost, perhaps with the store's whole history, so what is served has to be compared anew. */
  constructor(registry: GatewayRegistry, record: GatewayRecord, outage: Outage, recheck: () => void) {
    this.#registry = registry;
    this.#outage = outage;
    this.#record = record;
    this.#leaseHolder = new LeaseHolder({
      grant: (ttl) => registry.lease(ttl),
      ttlSeconds: TTL_SECONDS,
      refreshSeconds: REFRESH_SECONDS,
      outage,
      granted: (lease) => {
        // A revision of a history that is gone may be taken for one of the new history.
        if (this.#lease !== null) {
          this.#record = { ...this.#record, revision: 0 };
          recheck();
        }
        this.#lease = lease;
        this.#written = null;
        this.#wakeup.wake();
      },
    });
  }

  /** This revision is served now. Nothing is written before the first call. */
  serves(revision: number): void {
    if (this.#record.revision === revision && this.#running !== undefined) return;
    this.#record = { ...this.#record, revision };
    const loops = [
      (signal: AbortSignal) => this.#leaseHolder.run(signal),
      (signal: AbortSignal) => this.#write(signal),
    ];
    this.#running ??= together(loops, this.#ended.signal);
    this.#wakeup.wake();
  }

  /** With `withdraw` the record goes at once; else it stays for the next process, or until its lease ends. */
  async end(withdraw: boolean): Promise<void> {
    this.#ended.abort();
    await this.#running;
    if (withdraw) await this.#leaseHolder.revoke();
  }

  async #write(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ mostMs: 1000 });
    for (;;) {
      await this.#wakeup.wait(signal);
      if (signal.aborted) return;
      const [record, lease] = [this.#record, this.#lease];
      if (lease === null || record === this.#written) continue;
      try {
        if (this.#written === null) await this.#registry.removeEarlier(record);
        await this.#registry.put(record, lease);
        if (lease === this.#lease) this.#written = record;
        backoff.reset();
        this.#outage.recovered(PART);
        await pause(WRITE_INTERVAL_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ClusterError && error.code === 'lease-expired') this.#leaseHolder.checkNow();
        else this.#outage.failed(PART, error);
        await pause(backoff.next(), signal);
        this.#wakeup.wake();
      }
    }
  }
}
