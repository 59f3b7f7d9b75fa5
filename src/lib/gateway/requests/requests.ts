import type { Report } from '../../keep/reporter.ts';
import { readSyslogAddress, type TrafficState } from '../../traffic/index.ts';
import type { BreakerId, ServedRequest } from '../model.ts';
import { Breaker, type BreakerState } from './breaker.ts';
import { breakerRules } from './rules.ts';
import { TraceSender, traceRecord } from './trace.ts';
import { callWebhook } from './webhook.ts';

const LEAST_CHECK_MS = 10;

/** A circuit breaker as the status shows it. */
export interface BreakerStatus extends BreakerId {
  readonly state: BreakerState;
}

/** What happens because of the requests that a proxy answered: circuit breakers trip and recover, traces are sent. */
export class Requests {
  readonly #logger: Report;
  readonly #changed: () => void;
  readonly #sender = new TraceSender();
  readonly #breakers = new Map<string, Breaker>();
  #byFrontend = new Map<string, Breaker[]>();
  #state: TrafficState | null = null;
  #timer: NodeJS.Timeout | undefined;
  #lastOpen = '[]';

  /** @param changed called when `open` gives something else than before. */
  constructor(logger: Report, changed: () => void) {
    this.#logger = logger;
    this.#changed = changed;
  }

  /** Follows the breakers and traces of this state; a breaker whose rule stays the same stays as it is. */
  follow(state: TrafficState): void {
    this.#state = state;
    const wanted = new Map(breakerRules(state).map((rule) => [`${rule.frontend}/${rule.middleware}`, rule]));
    for (const name of this.#breakers.keys()) if (!wanted.has(name)) this.#breakers.delete(name);
    for (const [name, rule] of wanted) {
      const old = this.#breakers.get(name);
      if (old !== undefined && JSON.stringify(old.rule) === JSON.stringify(rule)) continue;
      this.#breakers.set(name, new Breaker(rule));
    }

    this.#byFrontend = new Map();
    for (const breaker of this.#breakers.values()) {
      const { frontend } = breaker.rule;
      this.#byFrontend.set(frontend, [...(this.#byFrontend.get(frontend) ?? []), breaker]);
    }
    this.#schedule();
  }

  record(request: ServedRequest): void {
    const now = performance.now();
    for (const breaker of this.#byFrontend.get(request.frontend) ?? []) breaker.record(now, request);
    this.#trace(request);
  }

  /** Breakers whose frontends get the fallback now. */
  open(): BreakerId[] {
    return [...this.#breakers.values()]
      .filter(({ isOpen }) => isOpen)
      .map(({ rule: { frontend, middleware } }) => ({ frontend, middleware }));
  }

  states(): BreakerStatus[] {
    return [...this.#breakers.values()].map(({ rule: { frontend, middleware }, state }) => ({
      frontend,
      middleware,
      state,
    }));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#sender.close();
  }

  #trace(request: ServedRequest): void {
    for (const middleware of this.#state?.middlewares.get(request.frontend)?.values() ?? []) {
      if (middleware.Type !== 'trace') continue;
      const target = readSyslogAddress(middleware.Middleware.Addr);
      this.#sender.send(target, traceRecord(request, middleware.Middleware, target.prefix));
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#breakers.size === 0) return;
    const checks = [...this.#breakers.values()].map(({ rule }) => rule.checkMs);
    const every = Math.max(LEAST_CHECK_MS, Math.min(...checks));
    this.#timer = setTimeout(() => {
      this.#tick();
      this.#schedule();
    }, every);
    this.#timer.unref();
  }

  #tick(): void {
    for (const breaker of this.#breakers.values()) {
      const state = breaker.tick(performance.now());
      if (state === null) continue;
      const { frontend, middleware, onTripped, onStandby } = breaker.rule;
      const message = `circuit breaker ${middleware} of frontend ${frontend}: ${state}`;
      if (state === 'tripped') this.#logger.warning(message);
      else this.#logger.info(message);
      const hook = state === 'tripped' ? onTripped : state === 'standby' ? onStandby : null;
      if (hook !== null) callWebhook(hook, this.#logger);
    }

    const open = JSON.stringify(this.open());
    if (open === this.#lastOpen) return;
    this.#lastOpen = open;
    this.#changed();
  }
}
