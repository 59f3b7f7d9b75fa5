import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag, waitFlags } from '../flags.ts';
import { asksForRollout } from '../lib/control/rollouts/budget.ts';
import { planRollback, rollbackRolling } from '../lib/control/rollouts/rollback.ts';
import { rollbackAtOnce } from '../lib/control/units/file-history.ts';
import { rolloutPlanText } from '../lib/ui/rollout.ts';
import { budgetFlags, budgetFlagsOf, refuseBudget, rollOptions } from './_rollout.ts';

export default class Rollback extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Give a unit, or all instances of a template, the file that they had before';
  static override description =
    'Units that run more than once are changed by a rollout: in batches, each watched until it is healthy; see cluster rollout.';
  static override examples = [
    '<%= config.bin %> rollback web@',
    '<%= config.bin %> rollback web@1 --to 3f2a91c',
  ];
  static override args = { unit: Args.string({ description: 'unit or template', required: true }) };
  static override flags = {
    ...waitFlags,
    ...healthFlag,
    ...budgetFlags,
    to: Flags.string({ description: 'hash of the text, or its beginning', env: 'CLUSTER_TO' }),
    'all-at-once': Flags.boolean({
      description: 'change all units at the same time, without a rollout',
      env: 'CLUSTER_ALL_AT_ONCE',
      default: false,
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rollback);
    if (flags['all-at-once']) refuseBudget(this.argv, flags, 'not with --all-at-once');
    const waiting = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    await this.withSession(flags, async (session) => {
      if (flags['all-at-once']) return await rollbackAtOnce(session, args.unit, flags.to, waiting);
      const always = asksForRollout(budgetFlagsOf(flags));
      const options = { ...waiting, ...rollOptions(session, flags), always };
      if (!flags['dry-run']) return await rollbackRolling(session, args.unit, flags.to, options);
      const plan = await planRollback(session, args.unit, flags.to, options);
      if (flags.json) this.printJson(plan);
      else this.print(rolloutPlanText(plan));
    });
  }
}
