import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { text } from '../../flags.ts';
import { cordonMachine } from '../../lib/control/machines/cordon.ts';

export default class MachineCordon extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'machines';
  static override summary = 'Keep new units away from a machine; what is there stays';
  static override examples = [
    '<%= config.bin %> machine cordon e9436653',
    "<%= config.bin %> machine cordon 10.0.0.5 --reason 'new disks'",
  ];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };
  static override flags = {
    reason: text('reason', 'why, for those who find the machine cordoned'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MachineCordon);
    const { reason } = flags;
    await this.withSession(flags, (session) => cordonMachine(session, args.machine, reason));
  }
}
