import { ClusterCommand } from '../../base.ts';
import { showRollout } from '../../lib/control/rollouts/verbs.ts';
import { rolloutText } from '../../lib/ui/rollout.ts';
import { rolloutArgument } from '../_rollout.ts';

export default class RolloutShow extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show a rollout and each of its units';
  static override examples = ['<%= config.bin %> rollout show 7'];
  static override args = rolloutArgument;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutShow);
    const row = await this.withSession(flags, (session) => showRollout(session, args.rollout));
    if (flags.json) this.printJson({ ...row.rollout, driver: row.driver });
    else this.print(rolloutText(row));
  }
}
