import { ClusterError, EXIT } from '../../error.ts';
import { type Budget, DRAIN_MS, parseLimit } from '../../rollout/index.ts';
import { durationMs } from '../../traffic/index.ts';
import type { Session } from '../session.ts';

/** A budget as a command gets it. */
export interface BudgetFlags {
  readonly maxUnavailable: string | undefined;
  readonly canary: number | undefined;
  readonly pause: boolean;
  readonly deadline: string | undefined;
  readonly maxFailures: number | undefined;
  readonly autoRollback: boolean;
  readonly drain: string | undefined;
}

const LONGEST_DRAIN_MS = 3_600_000;
const LONGEST_MS = 7 * 24 * 3_600_000;
const DEFAULT_MIN_HEALTHY_MS = 10_000;

/**
 * The budget that was asked for, with what is usual where nothing was said.
 * @throws `bad-budget`, `bad-duration`; nothing was changed then.
 */
export function budgetOf(session: Session, flags: BudgetFlags): Budget {
  if (flags.pause && (flags.canary ?? 0) === 0)
    throw new ClusterError('bad-budget', '--pause pauses after the canary, and there is none', {
      hint: 'add --canary 1; nothing was changed',
      exit: EXIT.usage,
    });
  const deadlineMs = durationMs('--deadline', flags.deadline ?? '2m');
  if (deadlineMs <= 0 || deadlineMs > LONGEST_MS)
    throw new ClusterError('bad-budget', `--deadline ${flags.deadline} is not between 1ms and 168h`, {
      hint: 'give a time such as 2m; nothing was changed',
      exit: EXIT.usage,
    });
  const drainMs = flags.drain === undefined ? DRAIN_MS : durationMs('--drain', flags.drain);
  if (drainMs < 0 || drainMs > LONGEST_DRAIN_MS)
    throw new ClusterError('bad-budget', `--drain ${flags.drain} is not between 0s and 1h`, {
      hint: 'give a time such as 10s; nothing was changed',
      exit: EXIT.usage,
    });
  const { sources, minHealthyMs } = session.config;
  return {
    maxUnavailable: parseLimit(flags.maxUnavailable ?? '1'),
    canary: flags.canary ?? 0,
    pause: flags.pause,
    minHealthyMs: sources['min-healthy'] === undefined ? DEFAULT_MIN_HEALTHY_MS : minHealthyMs,
    deadlineMs,
    maxFailures: flags.maxFailures ?? 0,
    autoRollback: flags.autoRollback,
    drainMs,
  };
}

/** Whether anything was said that only a rollout can do. */
export function asksForRollout(flags: BudgetFlags): boolean {
  const { maxUnavailable, canary, pause, deadline, maxFailures, autoRollback, drain } = flags;
  const given = [maxUnavailable, canary, deadline, maxFailures, drain];
  return autoRollback || pause || given.some((one) => one !== undefined);
}
