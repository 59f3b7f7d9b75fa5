import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { freeSlot } from '../../lib/control/rollouts/locks.ts';

export default class LockRm extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'machines';
  static override summary = 'Free the slot of a lock that a machine holds';
  static override examples = ['<%= config.bin %> lock rm machines e9436653'];
  static override args = {
    lock: Args.string({ description: 'name of the lock', required: true }),
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(LockRm);
    const row = await this.withSession(flags, (session) => freeSlot(session, args.lock, args.machine));
    if (flags.json) this.printJson(row);
    else
      this.print(
        `Freed the slot of ${row.lock} that ${row.machine.slice(0, 8)} held for rollout ${row.rollout}\n`,
      );
  }
}
