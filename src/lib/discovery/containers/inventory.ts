import { Backoff, type Outage, pause } from '../../keep/index.ts';
import type { Container } from '../offers/model.ts';
import { endsContainer } from './container.ts';
import type { ContainerEvent, ContainerRuntime } from './port.ts';

/** A container that can be announced. */
export interface Running {
  readonly container: Container;
  /** It started while we were following events. */
  readonly fresh: boolean;
}

export interface InventoryOptions {
  readonly runtime: ContainerRuntime;
  /** The containers changed, or whether the runtime can be reached. */
  readonly changed: () => void;
  /** Of the runtime. */
  readonly outage: Outage;
  readonly problem: (message: string) => void;
  /** How long a container that ended by itself with an error stays listed; 0 = not at all. */
  readonly keepCrashedMs: number;
  /** Interval at which everything is listed again without an event; 0 = never. */
  readonly resyncMs: number;
}

/** A container that runs for so long after its stop signal will not stop: it is announced again. */
const OUTLIVES_MS = 5 * 60_000;
const AGAIN_MS = 1000;
const INSPECTED_AT_ONCE = 16;
/** The name of this part of the registrator in the runtime's outage. */
const PART = 'events';

/** The containers of this machine that run and were not told to stop, from the runtime's events. */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #running = new Map<string, Running>();
  /** Containers that were told to stop, by id: the start that was told so; '' = not known yet. */
  readonly #leaving = new Map<string, string>();
  readonly #looks = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #complete = false;
  #connected = false;
  #signal: AbortSignal | undefined;

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  /** null until the containers were listed for the first time. */
  get running(): readonly Running[] | null {
    return this.#complete ? [...this.#running.values()].filter((item) => this.#stays(item.container)) : null;
  }

  /** Whether the runtime reports what happens. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Follows the runtime until the signal aborts, through its restarts. */
  async follow(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const backoff = new Backoff({ firstMs: 100, mostMs: 1000 });
    while (!signal.aborted) {
      try {
        await this.#connection(signal, backoff);
      } catch (error) {
        if (signal.aborted) break;
        this.#options.outage.failed(PART, error);
      }
      this.#setConnected(false);
      await pause(backoff.next(), signal);
    }
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** One connection to the runtime. @throws when it ends. */
  async #connection(signal: AbortSignal, backoff: Backoff): Promise<void> {
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    let listed: Promise<void> | undefined;
    // Listed only now, so that what happens meanwhile is among the events.
    const listening = (): void => {
      listed = this.#list().then(
        () => {
          backoff.reset();
          this.#options.outage.recovered(PART);
        },
        (error) => failed.abort(error),
      );
    };
    try {
      for await (const event of this.#options.runtime.events(either, listening)) this.#onEvent(event);
    } catch (error) {
      throw failed.signal.aborted ? failed.signal.reason : error;
    }
    await listed;
    failed.signal.throwIfAborted();
    throw new Error('the stream of events ended');
  }

  /** Lists everything that runs now, and forgets what is gone. */
  async #list(): Promise<void> {
    const first = !this.#complete;
    const ids = new Set(await this.#options.runtime.list());
    for (const id of this.#running.keys()) if (!ids.has(id)) this.#forget(id);
    const rest = ids.values();
    // Thousands of questions at once are not answered any faster.
    const ask = async (): Promise<void> => {
      for (const id of rest) await this.#look(id, !first);
    };
    await Promise.all(Array.from({ length: INSPECTED_AT_ONCE }, ask));
    this.#complete = true;
    this.#setConnected(true);
    this.#options.changed();
    const { resyncMs } = this.#options;
    if (resyncMs > 0) this.#schedule('resync', resyncMs, () => this.#resync());
  }

  #resync(): void {
    if (this.#connected) this.#list().catch((error) => this.#options.outage.failed(PART, error));
  }

  #onEvent({ action, id, signal, exitCode }: ContainerEvent): void {
    switch (action) {
      case 'start':
      case 'unpause':
      case 'rename':
      case 'health_status':
        void this.#look(id, action === 'start');
        return;
      case 'kill':
        this.#onKill(id, signal);
        return;
      case 'die':
        this.#onDie(id, exitCode);
        return;
      case 'pause':
      case 'destroy':
        this.#forget(id);
    }
  }

  #onKill(id: string, signal: string | null): void {
    const container = this.#running.get(id)?.container;
    // One that we do not know was just started: a signal at that moment is not a reload.
    if (!endsContainer(signal, container?.stopSignal ?? 'SIGTERM')) return;
    this.#leaving.set(id, container?.startedAt ?? '');
    this.#schedule(`${id} outlives`, OUTLIVES_MS, () => {
      this.#leaving.delete(id);
      void this.#look(id, false);
    });
    this.#options.changed();
  }

  #onDie(id: string, exitCode: number | null): void {
    const crashed = exitCode !== null && exitCode !== 0 && exitCode < 128;
    const { keepCrashedMs } = this.#options;
    if (!crashed || keepCrashedMs === 0 || this.#leaving.has(id)) this.#forget(id);
    else this.#schedule(`${id} crashed`, keepCrashedMs, () => void this.#look(id, false));
  }

  /** Inspects one container, after earlier inspections of it have ended. */
  #look(id: string, fresh: boolean): Promise<void> {
    const before = this.#looks.get(id) ?? Promise.resolve();
    const look = before.then(() => this.#inspect(id, fresh));
    this.#looks.set(id, look);
    return look.finally(() => {
      if (this.#looks.get(id) === look) this.#looks.delete(id);
    });
  }

  async #inspect(id: string, fresh: boolean): Promise<void> {
    try {
      const container = await this.#options.runtime.inspect(id);
      if (container === null || !container.running || container.paused) {
        this.#forget(id);
        return;
      }
      const old = this.#running.get(id);
      const same = old?.container.startedAt === container.startedAt;
      this.#running.set(id, { container, fresh: same ? old.fresh : fresh });
      const told = this.#leaving.get(id);
      if (told === '') this.#leaving.set(id, container.startedAt);
      else if (told !== container.startedAt) this.#leaving.delete(id);
      this.#cancel(`${id} crashed`);
      if (!this.#leaving.has(id)) this.#cancel(`${id} outlives`);
      this.#options.changed();
    } catch (error) {
      if (this.#signal?.aborted) return;
      this.#options.problem(
        `container ${id.slice(0, 12)}: ${error instanceof Error ? error.message : error}`,
      );
      this.#schedule(`${id} again`, AGAIN_MS, () => void this.#look(id, fresh));
    }
  }

  #stays({ id, startedAt }: Container): boolean {
    return this.#leaving.get(id) !== startedAt;
  }

  #forget(id: string): void {
    for (const what of ['outlives', 'crashed', 'again']) this.#cancel(`${id} ${what}`);
    this.#leaving.delete(id);
    if (this.#running.delete(id)) this.#options.changed();
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#options.changed();
  }

  #schedule(name: string, ms: number, work: () => void): void {
    this.#cancel(name);
    if (this.#signal?.aborted) return;
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        work();
      }, ms),
    );
  }

  #cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
