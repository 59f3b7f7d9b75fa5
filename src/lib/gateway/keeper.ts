import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../error.ts';
import type { TrafficState } from '../traffic/index.ts';
import type { Applied, Supervisor } from './haproxy/process/supervisor.ts';
import { type Requests, withTripped } from './haproxy/requests/requests.ts';
import type { Logger } from './logger.ts';
import type { Note, Serving } from './model.ts';
import { changedPaths, findCulprits, holdBack, listenersNamed } from './offenders.ts';

export interface KeeperOptions {
  readonly supervisor: Supervisor;
  readonly requests: Requests;
  readonly translate: (state: TrafficState) => Serving;
  readonly logger: Logger;
  /** HAProxy serves this state now. */
  readonly applied: (state: TrafficState) => void;
  /** Told why HAProxy could not be started when nothing was served before. */
  readonly hopeless: (error: unknown) => void;
}

/** Changes of one transaction, and of what happens close to it, are one change. */
const GATHER_MS = 2;
const RETRY_MS = 2000;
const LISTEN_MS = 5000;
const HOW: Readonly<Record<Applied, string>> = {
  nothing: 'no change for HAProxy',
  runtime: 'changed at run time',
  reload: 'reloaded',
  start: 'started',
};

/**
 * Brings HAProxy to the newest state that it was given, one step at a time. A change that HAProxy would refuse is held
 * back alone: what it touches stays as it was, everything else goes on.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #wanted: TrafficState | null = null;
  #good: TrafficState | null = null;
  #goodServing: Serving | null = null;
  /** Changes that were refused: path -> the revision that was, and why. */
  #held = new Map<string, { readonly revision: number; readonly reason: string }>();
  #spoken = new Set<string>();
  #running: Promise<void> | undefined;
  #again: NodeJS.Timeout | undefined;
  #dirty = false;
  #closed = false;
  #failing: string | null = null;
  #lastMs = 0;
  #how: Applied = 'nothing';

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** The state that HAProxy serves; null before the first. */
  get state(): TrafficState | null {
    return this.#good;
  }

  /** Why HAProxy does not serve the newest state; null when it does. */
  get failing(): string | null {
    return this.#failing;
  }

  /** Milliseconds that the last change took, from its arrival until it was live. */
  get lastMs(): number {
    return this.#lastMs;
  }

  leftOut(): Note[] {
    const held = [...this.#held].map(([path, { reason }]) => ({
      object: path,
      message: `its last change is not served: ${reason}`,
    }));
    return [...(this.#goodServing?.leftOut ?? []), ...held];
  }

  notes(): readonly Note[] {
    return this.#goodServing?.notes ?? [];
  }

  want(state: TrafficState): void {
    this.#wanted = state;
    this.refresh();
  }

  /** The same state again, where something else changed (a breaker). */
  refresh(): void {
    this.#dirty = true;
    if (this.#closed || this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#dirty && !this.#closed) this.refresh();
    });
  }

  /** Waits for the step that is being made. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#again);
    await this.#running;
  }

  async #run(): Promise<void> {
    const started = performance.now();
    while (this.#dirty && !this.#closed) {
      await sleep(GATHER_MS);
      this.#dirty = false;
      const wanted = this.#wanted;
      if (wanted === null) return;
      try {
        await this.#bring(wanted);
        if (this.#failing !== null) this.#options.logger.info('HAProxy serves the newest state again');
        this.#failing = null;
        this.#lastMs = performance.now() - started;
        this.#options.logger.debug(
          `revision ${wanted.revision} is live after ${this.#lastMs.toFixed(1)} ms: ${HOW[this.#how]}`,
        );
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (this.#good === null && isHopeless(error)) return this.#options.hopeless(error);
        if (message !== this.#failing) this.#options.logger.error(message);
        this.#failing = message;
        await this.#pause();
      }
    }
  }

  /** After a failure: until something changes, or a while. */
  async #pause(): Promise<void> {
    for (let waited = 0; waited < RETRY_MS && !this.#dirty && !this.#closed; waited += 50) await sleep(50);
    this.#dirty = true;
  }

  async #bring(wanted: TrafficState): Promise<void> {
    for (const [path, { revision }] of this.#held)
      if (revisionOf(wanted, path) !== revision) this.#held.delete(path);
    let state = holdBack(this.#good, wanted, this.#held.keys());
    let serving: Serving | null = null;
    while (serving === null) {
      try {
        serving = await this.#apply(state);
      } catch (error) {
        const culprits = await this.#culprits(state, error);
        for (const [path, reason] of culprits)
          this.#held.set(path, { revision: revisionOf(wanted, path), reason });
        state = holdBack(this.#good, wanted, this.#held.keys());
        // Without any listener it would listen where nobody said so.
        const closed = state.listeners.size === 0 && wanted.listeners.size > 0 && this.#good === null;
        if (culprits.size === 0 || closed) throw error;
      }
    }
    if (this.#good === null)
      this.#options.logger.info(
        `serving revision ${state.revision}: ${state.frontends.size} frontends, ${state.backends.size} backends`,
      );
    this.#good = state;
    this.#goodServing = serving;
    this.#options.applied(wanted);
    this.#options.requests.follow(state, serving.breakers);
    this.#speak();
    this.#listenAgain();
  }

  /** An address that was taken may be free after a while. */
  #listenAgain(): void {
    clearTimeout(this.#again);
    const listeners = [...this.#held.keys()].filter((path) => path.startsWith('listeners/'));
    if (listeners.length === 0) return;
    this.#again = setTimeout(() => {
      for (const path of listeners) this.#held.delete(path);
      this.refresh();
    }, LISTEN_MS);
    this.#again.unref();
  }

  async #apply(state: TrafficState): Promise<Serving> {
    const { supervisor, requests, translate } = this.#options;
    const serving = translate(state);
    this.#how = await supervisor.apply(withTripped(serving, requests.tripped()));
    return serving;
  }

  async #culprits(state: TrafficState, error: unknown): Promise<Map<string, string>> {
    const { supervisor, translate, logger } = this.#options;
    const code = error instanceof ClusterError ? error.code : '';
    // Only a new worker that really listens finds out that an address is taken.
    if (code === 'haproxy-reload' || code === 'haproxy-start') {
      const reason = (error as Error).message;
      const changed = changedPaths(this.#good, state).filter((path) => path.startsWith('listeners/'));
      const named = listenersNamed(state, reason).filter((path) => changed.includes(path));
      const guilty = named.length > 0 || code === 'haproxy-start' ? named : changed;
      return new Map(guilty.map((path) => [path, reason]));
    }
    if (code === 'haproxy-missing') return new Map();
    logger.error(`${(error as Error).message}; looking for the change that is at fault`);
    return findCulprits(this.#good, state, async (candidate) => {
      try {
        return await supervisor.check(translate(candidate));
      } catch (reason) {
        return reason instanceof Error ? reason.message : String(reason);
      }
    });
  }

  /** Each thing that is left out or done otherwise is said once, when it appears. */
  #speak(): void {
    const { logger } = this.#options;
    const now = new Set<string>();
    const say = (notes: readonly Note[], severity: 'warning' | 'info', what: string): void => {
      for (const { object, message } of notes) {
        const line = `${what}${object}: ${message}`;
        now.add(line);
        if (!this.#spoken.has(line)) logger[severity](line);
      }
    };
    say(this.leftOut(), 'warning', 'left out: ');
    say(this.notes(), 'info', '');
    this.#spoken = now;
  }
}

/** What no change of the registry will cure. */
function isHopeless(error: unknown): boolean {
  return error instanceof ClusterError && ['haproxy-start', 'haproxy-missing'].includes(error.code);
}

/** 0 for what is not there. */
function revisionOf(state: TrafficState, path: string): number {
  return state.stored.get(path)?.revision ?? 0;
}
