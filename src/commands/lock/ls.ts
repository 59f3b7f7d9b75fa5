import { ClusterCommand } from '../../base.ts';
import { listLocks } from '../../lib/control/rollouts/locks.ts';
import { locksText } from '../../lib/ui/rollout.ts';

export default class LockLs extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List machines that hold a slot of a lock: they are away, or did not come back';
  static override examples = ['<%= config.bin %> lock ls'];

  async run(): Promise<void> {
    const { flags } = await this.parse(LockLs);
    const rows = await this.withSession(flags, listLocks);
    if (flags.json) this.printJson(rows);
    else this.print(locksText(rows));
  }
}
