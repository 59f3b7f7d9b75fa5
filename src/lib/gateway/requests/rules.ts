import type { TrafficState, Webhook } from '../../traffic/index.ts';
import type { BreakerId } from '../model.ts';

/** A cbreaker middleware, its times in milliseconds. */
export interface BreakerRule extends BreakerId {
  readonly condition: string;
  readonly fallbackMs: number;
  readonly recoveryMs: number;
  readonly checkMs: number;
  readonly onTripped: Webhook | null;
  readonly onStandby: Webhook | null;
}

/** All circuit breakers of a state. */
export function breakerRules({ middlewares }: TrafficState): BreakerRule[] {
  return [...middlewares].flatMap(([frontend, all]) =>
    [...all.values()].flatMap((middleware) => {
      if (middleware.Type !== 'cbreaker') return [];
      const { Condition, FallbackDuration, RecoveryDuration, CheckPeriod, OnTripped, OnStandby } =
        middleware.Middleware;
      return {
        frontend,
        middleware: middleware.Id,
        condition: Condition,
        fallbackMs: FallbackDuration / 1e6,
        recoveryMs: RecoveryDuration / 1e6,
        checkMs: CheckPeriod / 1e6,
        onTripped: OnTripped,
        onStandby: OnStandby,
      };
    }),
  );
}
