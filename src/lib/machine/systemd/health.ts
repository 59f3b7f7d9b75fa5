import type { UnitStatus } from '../port.ts';
import type { Bus } from './dbus.ts';
import { watchUnits } from './watch.ts';

/** Types of services that systemd calls started before their program has done anything. */
const SAYS_NOTHING: ReadonlySet<string> = new Set(['simple', 'exec', 'idle']);

/** Whether a service of this Type= cannot report that it is ready, so that only time tells. */
export function mustBeWatched(type: string): boolean {
  return SAYS_NOTHING.has(type);
}

/** systemd reports that the program ended in a way that counts as a failure, or that it is about to start it again. */
export function hasDied({ active, sub }: Pick<UnitStatus, 'active' | 'sub'>): boolean {
  return active === 'failed' || sub === 'auto-restart' || sub === 'auto-restart-queued';
}

/** Listens to systemd's signals about units that were started, all at once, for the first moments of each. */
export class HealthWatch {
  readonly #ending = new AbortController();
  /** Units that were seen to end since they were last asked about. */
  readonly #ended = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  constructor(bus: Bus, units: readonly string[]) {
    // A connection that is lost ends the question about states that follows each wait.
    this.#listen(bus, units).catch(() => undefined);
  }

  /** Resolves to true as soon as the unit ends, or to false after so many milliseconds. */
  async ends(unit: string, ms: number): Promise<boolean> {
    if (this.#ended.delete(unit)) return true;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.max(0, ms));
      this.#waiting.set(unit, resolve);
    });
    clearTimeout(timer);
    this.#waiting.delete(unit);
    return this.#ended.delete(unit);
  }

  stop(): void {
    this.#ending.abort();
  }

  async #listen(bus: Bus, units: readonly string[]): Promise<void> {
    for await (const { initial, states } of watchUnits(bus, { units, signal: this.#ending.signal })) {
      // The first states are those from before the start.
      if (initial) continue;
      for (const status of states) {
        if (!hasDied(status) && status.active !== 'inactive') continue;
        this.#ended.add(status.unit);
        this.#waiting.get(status.unit)?.();
      }
    }
  }
}
