import { ClusterCommand } from '../../base.ts';
import { listRollouts } from '../../lib/control/rollouts/verbs.ts';
import { rolloutsText } from '../../lib/ui/rollout.ts';

export default class RolloutLs extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List rollouts, newest first';
  static override examples = ['<%= config.bin %> rollout ls'];

  async run(): Promise<void> {
    const { flags } = await this.parse(RolloutLs);
    const rows = await this.withSession(flags, listRollouts);
    if (flags.json) this.printJson(rows.map(({ rollout, driver }) => ({ ...rollout, driver })));
    else this.print(rolloutsText(rows, true));
  }
}
