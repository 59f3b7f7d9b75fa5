import { Args, Flags } from '@oclif/core';
import { list, text } from '../flags.ts';
import { budgetOf } from '../lib/control/rollouts/budget.ts';
import {
  type MachinesWish,
  planMachines,
  rollMachines,
  windowsOf,
} from '../lib/control/rollouts/machines.ts';
import type { Session } from '../lib/control/session.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import { driving } from './_rollout.ts';

/** Machines that a command reboots or updates. */
export const machinesArgument = {
  machine: Args.string({
    description: 'id prefixes, addresses or host names; none with --rolling means all',
  }),
};

/** How carefully machines are taken away. */
export const machinesFlags = {
  rolling: Flags.boolean({
    description:
      'one machine after another, each watched until it is back and well; halt at the first failure',
    default: false,
    env: 'CLUSTER_ROLLING',
  }),
  group: text('group', 'one group after another, by the values of this key of the metadata'),
  window: list(
    'window',
    "begin nothing outside of this time: 'Thu 23:00 1h30m', 'Mon-Fri 02:00 45m Europe/Berlin'",
  ),
  'time-zone': text('time-zone', 'time zone of windows that name none (default: that of this computer)'),
  'max-unavailable': text(
    'max-unavailable',
    'how many machines may be away at the same time, as a number or a percentage (default with --rolling 1, else all)',
  ),
  'max-failures': Flags.integer({
    description: 'halt when more machines than this failed (default 0)',
    env: 'CLUSTER_MAX_FAILURES',
    min: 0,
  }),
  'min-healthy': text(
    'min-healthy',
    'how long a machine has to be well before the next one goes (default 10s)',
  ),
  'wait-for-others': Flags.boolean({
    description: 'wait while another rollout concerns the same machines or groups, instead of being refused',
    env: 'CLUSTER_WAIT_FOR_OTHERS',
    default: false,
  }),
  'dry-run': Flags.boolean({
    description: 'show the order, the batches and why, without changing anything',
    env: 'CLUSTER_DRY_RUN',
    default: false,
  }),
};

interface Given {
  readonly rolling: boolean;
  readonly group: string | undefined;
  readonly window: readonly string[] | undefined;
  readonly 'time-zone': string | undefined;
  readonly 'max-unavailable': string | undefined;
  readonly 'max-failures': number | undefined;
  readonly 'wait-for-others': boolean;
  readonly 'dry-run': boolean;
  readonly deadline: string;
}

type What = Pick<MachinesWish, 'kind' | 'ifNeeded' | 'rebootIfNeeded'>;

/** Carries it out, or plans it for `--dry-run`. */
export async function runMachines(
  session: Session,
  machines: readonly string[],
  flags: Given,
  what: What,
): Promise<Awaited<ReturnType<typeof planMachines>> | null> {
  if (machines.length === 0 && !flags.rolling)
    throw new ClusterError('no-machine', `No machine given`, {
      hint: `cluster machine ${what.kind} MACHINE, or --rolling for all, one after another; nothing was changed`,
      exit: EXIT.usage,
    });
  const budget = budgetOf(session, {
    maxUnavailable: flags['max-unavailable'] ?? (flags.rolling ? '1' : '100%'),
    canary: undefined,
    drain: undefined,
    pause: false,
    deadline: flags.deadline,
    maxFailures: flags['max-failures'],
    autoRollback: false,
  });
  const windows = windowsOf(flags.window, flags['time-zone']);
  const wish: MachinesWish = { ...what, machines, group: flags.group, windows };
  const options = { ...driving(session), budget, waitForOthers: flags['wait-for-others'] };
  if (flags['dry-run']) return await planMachines(session, wish, options);
  await rollMachines(session, wish, options);
  return null;
}
