import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { forgetFlag, healthFlag, replaceFlag, waitFlags } from '../flags.ts';
import { asksForRollout } from '../lib/control/rollouts/budget.ts';
import { planFiles, startRolling } from '../lib/control/rollouts/start.ts';
import { start } from '../lib/control/units/start.ts';
import { rolloutPlanText } from '../lib/ui/rollout.ts';
import { budgetFlags, budgetFlagsOf, refuseBudget, rollOptions } from './_rollout.ts';

export default class Start extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Start units; place and install them first where needed';
  static override description =
    'With --replace, units that run more than once are exchanged by a rollout: in batches, each watched until it is healthy; see cluster rollout.';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> start 'demo@<1..3>.service'",
    "<%= config.bin %> start --replace --canary 1 'web@<1..9>.service'",
  ];
  static override args = { unit: Args.string({ description: 'unit names, files, ranges or patterns' }) };
  static override flags = {
    ...waitFlags,
    ...healthFlag,
    ...replaceFlag,
    ...forgetFlag,
    ...budgetFlags,
    'all-at-once': Flags.boolean({
      description: 'with --replace: exchange all instances at the same time, without a rollout',
      env: 'CLUSTER_ALL_AT_ONCE',
      default: false,
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Start);
    const units = argv as string[];
    const rolls = flags.replace && !flags['all-at-once'];
    if (!rolls)
      refuseBudget(this.argv, flags, flags.replace ? 'not with --all-at-once' : 'only with --replace');
    const waiting = {
      block: !flags['no-block'],
      attempts: flags['block-attempts'],
      orForget: flags['or-forget'],
    };
    const differing = flags.replace ? 'replace' : flags.keep ? 'keep' : 'refuse';
    await this.withSession(flags, async (session) => {
      if (!rolls) {
        const siblings = flags['all-at-once'];
        return await start(session, units, 'launched', { ...waiting, differing, siblings });
      }
      const options = {
        ...waiting,
        ...rollOptions(session, flags),
        always: asksForRollout(budgetFlagsOf(flags)),
      };
      if (!flags['dry-run']) return await startRolling(session, units, options);
      const plan = await planFiles(session, units, options);
      if (flags.json) this.printJson(plan);
      else this.print(rolloutPlanText(plan));
    });
  }
}
