import { setTimeout as sleep } from 'node:timers/promises';
import { type GatewayRecord, gatewayKey } from '../registry/index.ts';
import type { Lease, Store } from '../store/port.ts';
import type { Logger } from './logger.ts';

const TTL_SECONDS = 11;
const KEEP_ALIVE_MS = 3500;
const RETRY_MS = 500;
/** Writes of the revision: at most one in this time, and always the newest. */
const PACE_MS = 20;

/** Keeps a gateway's record in the store, on a lease. The store may go and come back; the record does too. */
export class Announcer {
  readonly #store: Store;
  readonly #key: string;
  readonly #logger: Logger;
  readonly #ended = new AbortController();
  #record: GatewayRecord;
  #written: GatewayRecord | null = null;
  #lease: Lease | null = null;
  #wake: () => void = () => undefined;
  #away = false;
  #running: Promise<void> | undefined;

  constructor(store: Store, prefix: string, record: GatewayRecord, logger: Logger) {
    this.#store = store;
    this.#key = gatewayKey(prefix, record.machine);
    this.#record = record;
    this.#logger = logger;
  }

  /** Whether the store did not take the last thing that was said to it. */
  get away(): boolean {
    return this.#away;
  }

  /** HAProxy serves this revision now. Nothing is announced before the first call. */
  serves(revision: number): void {
    if (this.#record.revision === revision && this.#running !== undefined) return;
    this.#record = { ...this.#record, revision };
    this.#running ??= this.#run();
    this.#wake();
  }

  /** With `withdraw` the record goes at once; else it stays for whoever starts next, or until its lease ends. */
  async end(withdraw: boolean): Promise<void> {
    this.#ended.abort();
    this.#wake();
    await this.#running;
    if (withdraw) await this.#lease?.revoke().catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended;
    let renewed = 0;
    while (!signal.aborted) {
      try {
        if (this.#lease === null) {
          this.#lease = await this.#store.lease(TTL_SECONDS);
          this.#written = null;
          renewed = performance.now();
        }
        const record = this.#record;
        if (record !== this.#written) {
          const write = { put: this.#key, value: JSON.stringify(record), lease: this.#lease.id };
          await this.#store.commit({ compare: [], writes: [write] });
          this.#written = record;
          await sleep(PACE_MS, undefined, { signal });
        } else if (performance.now() - renewed >= KEEP_ALIVE_MS) {
          await this.#lease.keepAlive();
          renewed = performance.now();
        } else await this.#idle(KEEP_ALIVE_MS - (performance.now() - renewed));
        this.#back();
      } catch (error) {
        if (signal.aborted) return;
        this.#lost(error);
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Until there is something to write, at most `ms`. */
  async #idle(ms: number): Promise<void> {
    if (this.#record !== this.#written || this.#ended.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
  }

  #lost(error: unknown): void {
    // A lease that the store no longer knows, or that may have run out while it was away: a new one.
    this.#lease = null;
    if (this.#away) return;
    this.#away = true;
    this.#logger.warning(
      `cannot announce this gateway: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  #back(): void {
    if (!this.#away) return;
    this.#away = false;
    this.#logger.info('this gateway is announced again');
  }
}
