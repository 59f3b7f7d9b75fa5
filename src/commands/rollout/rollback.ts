import { ClusterCommand } from '../../base.ts';
import { rollbackRollout } from '../../lib/control/rollouts/verbs.ts';
import { driving, rolloutArgument } from '../_rollout.ts';

export default class RolloutRollback extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary = 'Bring the former files of a rollout back, in its batches';
  static override examples = ['<%= config.bin %> rollout rollback 7'];
  static override args = rolloutArgument;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutRollback);
    await this.withSession(flags, (session) => rollbackRollout(session, args.rollout, driving(session)));
  }
}
