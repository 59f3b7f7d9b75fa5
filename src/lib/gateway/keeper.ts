import { setTimeout as sleep } from 'node:timers/promises';
import type { Report } from '../keep/reporter.ts';
import type { TrafficState } from '../traffic/index.ts';
import type { BreakerId, Note, Notes } from './model.ts';
import { findOffenders, holdBack } from './offenders.ts';
import type { Refusal, RunningProxy } from './proxy.ts';

export interface KeeperOptions {
  readonly proxy: Pick<RunningProxy, 'serve' | 'check'>;
  readonly logger: Report;
  /** Circuit breakers that are open now. */
  readonly openBreakers: () => readonly BreakerId[];
  /** Called when `served` is live: `wanted` without the changes that are held back. */
  readonly applied: (wanted: TrafficState, served: TrafficState) => void;
  /** Called when nothing can be served, and nothing was served before. */
  readonly fatal: (error: unknown) => void;
}

/** Changes of one transaction, and of what happens close to it, are one change. */
const GATHER_MS = 2;
const RETRY_MS = 2000;
const LISTEN_MS = 5000;
const NO_NOTES: Notes = { leftOut: [], notes: [] };

/**
 * Brings the proxy to the newest state that it was given, one step at a time. A change that the proxy refuses is held
 * back alone: what it touches stays as it was, everything else goes on.
 */
export class Keeper {
  readonly #options: KeeperOptions;
  #wanted: TrafficState | null = null;
  #good: TrafficState | null = null;
  #goodNotes = NO_NOTES;
  /** Changes that were refused: path -> its revision, and why. */
  #held = new Map<string, { readonly revision: number; readonly reason: string }>();
  #logged = new Set<string>();
  #running: Promise<void> | undefined;
  #listenTimer: NodeJS.Timeout | undefined;
  #dirty = false;
  #closed = false;
  #failing: string | null = null;
  #lastMs = 0;
  #how = '';

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** The state that is served; null before the first. */
  get state(): TrafficState | null {
    return this.#good;
  }

  /** Why the newest state is not served; null when it is. */
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
    return [...this.#goodNotes.leftOut, ...held];
  }

  notes(): readonly Note[] {
    return this.#goodNotes.notes;
  }

  want(state: TrafficState): void {
    this.#wanted = state;
    this.refresh();
  }

  /** Serves the same state again, because something else changed (a breaker). */
  refresh(): void {
    this.#dirty = true;
    if (this.#closed || this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#dirty && !this.#closed) this.refresh();
    });
  }

  /** Waits for the step that is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#listenTimer);
    await this.#running;
  }

  async #run(): Promise<void> {
    const { logger, fatal } = this.#options;
    const started = performance.now();
    while (this.#dirty && !this.#closed) {
      await sleep(GATHER_MS);
      this.#dirty = false;
      const wanted = this.#wanted;
      if (wanted === null) return;

      const refusal = await this.#bring(wanted).catch(unexpected);
      if (refusal !== null) {
        if (this.#good === null && refusal.isFatal) return fatal(refusal.why);
        const { message } = refusal.why;
        if (message !== this.#failing) logger.error(message);
        this.#failing = message;
        await this.#pause();
        continue;
      }

      if (this.#failing !== null) logger.info('the newest state is served again');
      this.#failing = null;
      this.#lastMs = performance.now() - started;
      logger.debug(`revision ${wanted.revision} is live after ${this.#lastMs.toFixed(1)} ms: ${this.#how}`);
    }
  }

  /** After a failure: until something changes, or for a while. */
  async #pause(): Promise<void> {
    for (let waited = 0; waited < RETRY_MS && !this.#dirty && !this.#closed; waited += 50) await sleep(50);
    this.#dirty = true;
  }

  /** @returns null once everything that is not held back is live, or why nothing of it is. */
  async #bring(wanted: TrafficState): Promise<Refusal | null> {
    const { proxy, openBreakers } = this.#options;
    for (const [path, { revision }] of this.#held)
      if (revisionOf(wanted, path) !== revision) this.#held.delete(path);

    for (;;) {
      const state = holdBack(this.#good, wanted, this.#held.keys());
      const served = await proxy.serve(state, openBreakers());
      if (served.kind === 'applied') {
        this.#how = served.how;
        this.#accept(wanted, state, served.notes);
        return null;
      }
      const offenders = await this.#offenders(state, served);
      for (const [path, reason] of offenders)
        this.#held.set(path, { revision: revisionOf(wanted, path), reason });
      const rest = holdBack(this.#good, wanted, this.#held.keys());
      // Without any listener the proxy would listen on its default address, which nobody asked for here.
      const isDeaf = rest.listeners.size === 0 && wanted.listeners.size > 0 && this.#good === null;
      if (offenders.size === 0 || isDeaf) return served;
    }
  }

  #accept(wanted: TrafficState, served: TrafficState, notes: Notes): void {
    const { logger, applied } = this.#options;
    if (this.#good === null)
      logger.info(
        `serving revision ${served.revision}: ${served.frontends.size} frontends, ${served.backends.size} backends`,
      );
    this.#good = served;
    this.#goodNotes = notes;
    applied(wanted, served);
    this.#logNotes();
    this.#listenAgain();
  }

  /** An address that was taken may be free after a while. */
  #listenAgain(): void {
    clearTimeout(this.#listenTimer);
    const listeners = [...this.#held.keys()].filter((path) => path.startsWith('listeners/'));
    if (listeners.length === 0) return;
    this.#listenTimer = setTimeout(() => {
      for (const path of listeners) this.#held.delete(path);
      this.refresh();
    }, LISTEN_MS);
    this.#listenTimer.unref();
  }

  /** Changes of `state` to hold back: path -> why. */
  async #offenders(state: TrafficState, { paths, why }: Refusal): Promise<Map<string, string>> {
    if (paths !== null) return new Map(paths.map((path) => [path, why.message]));
    this.#options.logger.error(`${why.message}; looking for the change that causes it`);
    return findOffenders(this.#good, state, (candidate) => this.#options.proxy.check(candidate));
  }

  /** Logs each note once, when it appears. */
  #logNotes(): void {
    const now = new Set<string>();
    const log = (notes: readonly Note[], severity: 'warning' | 'info', prefix: string): void => {
      for (const { object, message } of notes) {
        const line = `${prefix}${object}: ${message}`;
        now.add(line);
        if (!this.#logged.has(line)) this.#options.logger[severity](line);
      }
    };
    log(this.leftOut(), 'warning', 'left out: ');
    log(this.notes(), 'info', '');
    this.#logged = now;
  }
}

function unexpected(error: unknown): Refusal {
  const why = error instanceof Error ? error : new Error(String(error));
  return { kind: 'refused', paths: [], why, isFatal: false };
}

/** 0 for what is not there. */
function revisionOf(state: TrafficState, path: string): number {
  return state.stored.get(path)?.revision ?? 0;
}
