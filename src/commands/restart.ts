import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag, waitFlags } from '../flags.ts';
import { planRestart, restartRolling } from '../lib/control/rollouts/restart.ts';
import { restart } from '../lib/control/units/restart.ts';
import { rolloutPlanText } from '../lib/ui/rollout.ts';
import { budgetFlags, refuseBudget, rollOptions } from './_rollout.ts';

const { 'auto-rollback': _, ...restartBudget } = budgetFlags;

export default class Restart extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Restart launched units where they are, and start loaded ones';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> restart 'demo@*'",
    '<%= config.bin %> restart --rolling gateway.service',
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    ...waitFlags,
    ...healthFlag,
    rolling: Flags.boolean({
      description:
        'by a rollout: one unit after another, each watched until it is healthy; halt at the first failure',
      default: false,
      env: 'CLUSTER_ROLLING',
      exclusive: ['no-block'],
    }),
    ...restartBudget,
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restart);
    const units = argv as string[];
    if (!flags.rolling) refuseBudget(this.argv, flags, 'only with --rolling');
    const waiting = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    await this.withSession(flags, async (session) => {
      if (!flags.rolling) return await restart(session, units, waiting);
      const options = { ...waiting, ...rollOptions(session, { ...flags, 'auto-rollback': false }) };
      if (!flags['dry-run']) return await restartRolling(session, units, options);
      const plan = await planRestart(session, units, options);
      if (flags.json) this.printJson(plan);
      else this.print(rolloutPlanText(plan));
    });
  }
}
