import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../offers/model.ts';
import { isEnd } from '../signals.ts';
import type { Engine, EngineEvent } from './port.ts';

/** A container that is there to be announced. */
export interface Running {
  readonly container: Container;
  /** It started while we were listening. */
  readonly fresh: boolean;
}

export interface InventoryOptions {
  readonly engine: Engine;
  /** Something is different: containers, or whether Docker can be reached. */
  readonly changed: () => void;
  readonly problem: (message: string) => void;
  /** Containers that ended by themselves with an error stay for so long; 0 = none does. */
  readonly keepCrashedMs: number;
  /** Looks at everything again after so long, with no event to say so; 0 = never. */
  readonly resyncMs: number;
}

/** A container that lives so long after its stop signal will not stop: it is announced again. */
const OUTLIVES_MS = 5 * 60_000;
const RETRY_MS = [100, 250, 500, 1000];
const AGAIN_MS = 1000;
const QUESTIONS = 16;

/** The containers of this machine that run and were not told to stop, by Docker's events. */
export class Inventory {
  readonly #options: InventoryOptions;
  readonly #running = new Map<string, Running>();
  /** Told to stop, with the start that this was said of. */
  readonly #leaving = new Map<string, string>();
  readonly #looks = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #complete = false;
  #connected = false;
  #signal: AbortSignal | undefined;

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  /** null until Docker has listed its containers for the first time. */
  get running(): readonly Running[] | null {
    return this.#complete ? [...this.#running.values()].filter((item) => this.#stays(item.container)) : null;
  }

  /** Is Docker telling us what happens? */
  get connected(): boolean {
    return this.#connected;
  }

  /** Follows Docker until the signal aborts, through its restarts. */
  async follow(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    let failures = 0;
    let said = '';
    while (!signal.aborted) {
      const connection = new AbortController();
      const both = AbortSignal.any([signal, connection.signal]);
      try {
        let listed: Promise<void> | undefined;
        const listening = (): void => {
          listed = this.#list().then(
            () => {
              failures = 0;
              said = '';
            },
            (error) => connection.abort(error),
          );
        };
        for await (const event of this.#options.engine.events(both, listening)) this.#hear(event);
        await listed;
        connection.signal.throwIfAborted();
        throw new Error('the stream of events ended');
      } catch (error) {
        if (signal.aborted) break;
        const reason = connection.signal.aborted ? connection.signal.reason : error;
        const message = `Docker is away: ${reason instanceof Error ? reason.message : String(reason)}`;
        if (message !== said) this.#options.problem(message);
        said = message;
      }
      this.#setConnected(false);
      await sleep(RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)], undefined, { signal }).catch(
        () => undefined,
      );
    }
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** All that runs now; what is gone meanwhile goes. */
  async #list(): Promise<void> {
    const first = !this.#complete;
    const ids = new Set(await this.#options.engine.list());
    for (const id of this.#running.keys()) if (!ids.has(id)) this.#forget(id);
    const rest = ids.values();
    // Docker answers no faster to thousands of questions at once.
    const ask = async (): Promise<void> => {
      for (const id of rest) await this.#look(id, !first);
    };
    await Promise.all(Array.from({ length: QUESTIONS }, ask));
    this.#complete = true;
    this.#setConnected(true);
    this.#options.changed();
    const { resyncMs } = this.#options;
    if (resyncMs > 0) this.#later('resync', resyncMs, () => this.#resync());
  }

  #resync(): void {
    if (this.#connected)
      this.#list().catch((error) => this.#options.problem(`Docker does not list: ${String(error)}`));
  }

  #hear({ action, id, signal, exitCode }: EngineEvent): void {
    switch (action) {
      case 'start':
      case 'unpause':
      case 'rename':
      case 'health_status':
        void this.#look(id, action === 'start');
        return;
      case 'kill':
        this.#killed(id, signal);
        return;
      case 'die':
        this.#died(id, exitCode);
        return;
      case 'pause':
      case 'destroy':
        this.#forget(id);
    }
  }

  #killed(id: string, signal: string | null): void {
    const container = this.#running.get(id)?.container;
    // One that we know nothing of was just started: whatever is sent to it then is not a reload.
    if (!isEnd(signal, container?.stopSignal ?? 'SIGTERM')) return;
    this.#leaving.set(id, container?.startedAt ?? '');
    this.#later(`${id} outlives`, OUTLIVES_MS, () => {
      this.#leaving.delete(id);
      void this.#look(id, false);
    });
    this.#options.changed();
  }

  #died(id: string, exitCode: number | null): void {
    const crashed = exitCode !== null && exitCode !== 0 && exitCode < 128;
    const { keepCrashedMs } = this.#options;
    if (!crashed || keepCrashedMs === 0 || this.#leaving.has(id)) this.#forget(id);
    else this.#later(`${id} crashed`, keepCrashedMs, () => void this.#look(id, false));
  }

  /** Asks Docker about one container, after what was asked of it before. */
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
      const container = await this.#options.engine.inspect(id);
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
      this.#never(`${id} crashed`);
      if (!this.#leaving.has(id)) this.#never(`${id} outlives`);
      this.#options.changed();
    } catch (error) {
      if (this.#signal?.aborted) return;
      this.#options.problem(
        `container ${id.slice(0, 12)}: ${error instanceof Error ? error.message : error}`,
      );
      this.#later(`${id} again`, AGAIN_MS, () => void this.#look(id, fresh));
    }
  }

  #stays({ id, startedAt }: Container): boolean {
    return this.#leaving.get(id) !== startedAt;
  }

  #forget(id: string): void {
    for (const what of ['outlives', 'crashed', 'again']) this.#never(`${id} ${what}`);
    this.#leaving.delete(id);
    if (this.#running.delete(id)) this.#options.changed();
  }

  #setConnected(connected: boolean): void {
    if (this.#connected === connected) return;
    this.#connected = connected;
    this.#options.changed();
  }

  #later(name: string, ms: number, work: () => void): void {
    this.#never(name);
    if (this.#signal?.aborted) return;
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        work();
      }, ms),
    );
  }

  #never(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
