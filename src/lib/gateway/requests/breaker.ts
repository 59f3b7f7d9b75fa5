/**
 * What the gateway learns from served requests: breakers, windows, traces, webhooks. It must not parse a proxy's log.
 */
import { type BreakerCondition, evaluateCondition, parseCondition } from '../../route/index.ts';
import type { ServedRequest } from '../model.ts';
import type { BreakerRule } from './rules.ts';
import { Window } from './window.ts';

export type BreakerState = 'standby' | 'tripped' | 'recovering';

/** While it recovers, the share that reaches the servers grows to this, as in vulcand. */
const RECOVERED_SHARE = 0.5;

/**
 * One circuit breaker, as vulcand's: `standby` until the condition holds, then `tripped` for the fallback time, then
 * `recovering`, in which the condition may trip it again, then `standby`. Times are milliseconds of any steady clock.
 */
export class Breaker {
  readonly rule: BreakerRule;
  readonly #condition: BreakerCondition;
  readonly #window = new Window();
  #state: BreakerState = 'standby';
  #since = 0;
  #isOpen = false;
  #owed = 0;
  #checked = Number.NEGATIVE_INFINITY;

  constructor(rule: BreakerRule) {
    this.rule = rule;
    this.#condition = parseCondition(rule.condition);
  }

  get state(): BreakerState {
    return this.#state;
  }

  record(now: number, { status, latencyMs, isNetworkError, isOwnAnswer }: ServedRequest): void {
    // Requests that were still running when it tripped must not trip it again.
    if (isOwnAnswer || this.#state === 'tripped') return;
    this.#window.record(now, { status, networkError: isNetworkError, latencyMs });
  }

  /** Whether requests get the fallback until the next tick. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** To be called about every `checkMs`. @returns the new state if it changes. */
  tick(now: number): BreakerState | null {
    const change = this.#step(now);
    // What is not let through now is let through later: over a few ticks the share is kept.
    this.#owed = Math.min(1, this.#owed + this.#passingShare(now));
    this.#isOpen = this.#owed < 1;
    if (!this.#isOpen) this.#owed = 0;
    return change;
  }

  #step(now: number): BreakerState | null {
    const { fallbackMs, recoveryMs, checkMs } = this.rule;
    if (this.#state === 'tripped')
      return now < this.#since + fallbackMs ? null : this.#become('recovering', now);
    if (now - this.#checked >= checkMs) {
      this.#checked = now;
      if (evaluateCondition(this.#condition, this.#window.metrics(now))) {
        this.#window.clear();
        return this.#become('tripped', now);
      }
    }
    const recovered = this.#state === 'recovering' && now >= this.#since + recoveryMs;
    return recovered ? this.#become('standby', now) : null;
  }

  /** Share of the time in which requests reach the servers. It grows during recovery, as vulcand's share of requests does. */
  #passingShare(now: number): number {
    if (this.#state !== 'recovering') return this.#state === 'standby' ? 1 : 0;
    return Math.min(1, (now - this.#since) / Math.max(1, this.rule.recoveryMs)) * RECOVERED_SHARE;
  }

  #become(state: BreakerState, now: number): BreakerState {
    this.#state = state;
    this.#since = now;
    this.#owed = 0;
    return state;
  }
}
