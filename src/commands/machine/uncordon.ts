import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { uncordonMachine } from '../../lib/control/machines/cordon.ts';

export default class MachineUncordon extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'machines';
  static override summary = 'Let units come to a machine again; its global units come back';
  static override description =
    'Lifts the cordon of operators and those of rollouts that have ended, such as a drain. The cordon of a rollout that has not ended stays.';
  static override examples = ['<%= config.bin %> machine uncordon e9436653'];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MachineUncordon);
    await this.withSession(flags, (session) => uncordonMachine(session, args.machine));
  }
}
