import { ClusterError } from '../../error.ts';
import type { DriverHold, RolloutRegistry } from '../../registry/index.ts';

/** How long a rollout waits for a driver that died, in seconds. */
export const DRIVER_TTL = 10;

/** Holds a rollout for its driver: the key lives as long as this process renews it. */
export class DriverLease {
  readonly hold: DriverHold;
  /** Aborts when the rollout is held no more, so that somebody else may drive it. */
  readonly lost: AbortSignal;
  readonly #lost = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #renewed = performance.now();

  private constructor(hold: DriverHold) {
    this.hold = hold;
    this.lost = this.#lost.signal;
    this.#timer = setInterval(() => void this.#renew(), (DRIVER_TTL * 1000) / 4);
  }

  /** null = somebody else holds the rollout. */
  static async take(registry: RolloutRegistry, id: string, who: string): Promise<DriverLease | null> {
    const hold = await registry.drive(id, { v: 1, who, pid: process.pid }, DRIVER_TTL);
    return hold === null ? null : new DriverLease(hold);
  }

  /** Gives the rollout back, for whoever comes next. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.hold.lease.revoke().catch(() => undefined);
  }

  async #renew(): Promise<void> {
    const asked = performance.now();
    try {
      await this.hold.lease.keepAlive();
      this.#renewed = asked;
    } catch (error) {
      const isGone = error instanceof ClusterError && error.code === 'lease-expired';
      if (!isGone && performance.now() - this.#renewed < DRIVER_TTL * 1000) return;
      clearInterval(this.#timer);
      this.#lost.abort();
    }
  }
}
