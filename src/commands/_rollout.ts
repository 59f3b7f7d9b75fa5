import { Args, Flags } from '@oclif/core';
import { text } from '../flags.ts';
import { type BudgetFlags, budgetOf } from '../lib/control/rollouts/budget.ts';
import type { RollOptions } from '../lib/control/rollouts/start.ts';
import type { Session } from '../lib/control/session.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import { untilSignal } from './_process.ts';

/** How carefully units are exchanged. */
export const budgetFlags = {
  'max-unavailable': text(
    'max-unavailable',
    'how many units may be down at the same time, as a number or a percentage (default 1)',
  ),
  canary: Flags.integer({ description: 'change so many units first', env: 'CLUSTER_CANARY', min: 0 }),
  pause: Flags.boolean({
    description: 'pause when the canary is healthy; cluster rollout resume goes on',
    env: 'CLUSTER_PAUSE',
    default: false,
  }),
  deadline: text('deadline', 'how long a unit may take to become healthy (default 2m)'),
  drain: text('drain', 'how long requests may take to end before a unit stops (default 10s)'),
  'max-failures': Flags.integer({
    description: 'halt when more units than this failed (default 0)',
    env: 'CLUSTER_MAX_FAILURES',
    min: 0,
  }),
  'auto-rollback': Flags.boolean({
    description: 'bring the former files back by itself when the rollout would halt',
    env: 'CLUSTER_AUTO_ROLLBACK',
    default: false,
  }),
  'wait-for-others': Flags.boolean({
    description: 'wait while another rollout changes the same units, instead of being refused',
    env: 'CLUSTER_WAIT_FOR_OTHERS',
    default: false,
  }),
  'dry-run': Flags.boolean({
    description: 'show the batches without changing anything',
    env: 'CLUSTER_DRY_RUN',
    default: false,
  }),
};

/** How carefully a machine is emptied. */
export const drainFlags = {
  'max-unavailable': text(
    'max-unavailable',
    'how many units may be on their way at the same time, as a number or a percentage (default 1)',
  ),
  deadline: text(
    'deadline',
    'how long a unit may take to become healthy elsewhere, and then to stop (default 2m)',
  ),
  drain: budgetFlags.drain,
  'wait-for-others': budgetFlags['wait-for-others'],
  'dry-run': Flags.boolean({
    description: 'show where each unit would go, without changing anything',
    env: 'CLUSTER_DRY_RUN',
    default: false,
  }),
};

/** What a command that empties a machine hands on. */
export function drainOptions(
  session: Session,
  flags: Pick<Given, 'max-unavailable' | 'deadline' | 'drain' | 'wait-for-others'>,
): Omit<RollOptions, 'always'> {
  const rest = { canary: undefined, pause: false, 'max-failures': undefined, 'auto-rollback': false };
  return rollOptions(session, { ...flags, ...rest });
}

interface Given {
  readonly 'max-unavailable': string | undefined;
  readonly canary: number | undefined;
  readonly pause: boolean;
  readonly deadline: string | undefined;
  readonly drain: string | undefined;
  readonly 'max-failures': number | undefined;
  readonly 'auto-rollback': boolean;
  readonly 'wait-for-others': boolean;
}

export function budgetFlagsOf(flags: Given): BudgetFlags {
  const { canary, pause, deadline, drain } = flags;
  return {
    maxUnavailable: flags['max-unavailable'],
    canary,
    pause,
    deadline,
    maxFailures: flags['max-failures'],
    autoRollback: flags['auto-rollback'],
    drain,
  };
}

/** What a command that begins a rollout hands on. @throws for a budget that lets nothing happen. */
export function rollOptions(session: Session, flags: Given): Omit<RollOptions, 'always'> {
  const budget = budgetOf(session, budgetFlagsOf(flags));
  return { ...driving(session), budget, waitForOthers: flags['wait-for-others'] };
}

/** Who drives, and that Ctrl-C ends the driving only. */
export const driving = ({ who }: Session) => ({ who, signal: untilSignal() });

export const rolloutArgument = {
  rollout: Args.string({ description: 'number of the rollout; without one the newest' }),
};

/** Flags of a rollout where there is none would be passed over without a word. @throws `usage`. */
export function refuseBudget(
  argv: readonly string[],
  flags: { readonly 'dry-run': boolean },
  when: string,
): void {
  const typed = Object.keys(budgetFlags).find((name) =>
    argv.some((word) => word === `--${name}` || word.startsWith(`--${name}=`)),
  );
  const name = typed ?? (flags['dry-run'] ? 'dry-run' : undefined);
  if (name === undefined) return;
  throw new ClusterError('usage', `--${name} is about rollouts: ${when}`, {
    hint:
      name === 'dry-run'
        ? 'cluster plan shows what start would do; nothing was changed'
        : 'nothing was changed',
    exit: EXIT.usage,
  });
}
