import { ClusterCommand } from '../../base.ts';
import { pauseRollout } from '../../lib/control/rollouts/verbs.ts';
import { rolloutArgument } from '../_rollout.ts';

export default class RolloutPause extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'Begin no further batch of a rollout';
  static override examples = ['<%= config.bin %> rollout pause 7'];
  static override args = rolloutArgument;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutPause);
    await this.withSession(flags, (session) => pauseRollout(session, args.rollout));
  }
}
