import { ClusterCommand } from '../../base.ts';
import { abortRollout } from '../../lib/control/rollouts/verbs.ts';
import { rolloutArgument } from '../_rollout.ts';

export default class RolloutAbort extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'End a rollout and leave every unit as it is';
  static override examples = ['<%= config.bin %> rollout abort 7'];
  static override args = rolloutArgument;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutAbort);
    await this.withSession(flags, (session) => abortRollout(session, args.rollout));
  }
}
