import { ClusterCommand } from '../../base.ts';
import { resumeRollout } from '../../lib/control/rollouts/verbs.ts';
import { driving, rolloutArgument } from '../_rollout.ts';

export default class RolloutResume extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary = 'Go on with a rollout that is paused, halted, or whose driver is gone';
  static override examples = ['<%= config.bin %> rollout resume 7'];
  static override args = rolloutArgument;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RolloutResume);
    await this.withSession(flags, (session) => resumeRollout(session, args.rollout, driving(session)));
  }
}
