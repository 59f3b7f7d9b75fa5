import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { removeMachine } from '../../lib/control/machines/remove.ts';

export default class MachineRm extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'machines';
  static override summary = 'Remove a machine from the cluster';
  static override examples = [
    '<%= config.bin %> machine rm e9436653',
    '<%= config.bin %> machine rm --force 10.0.0.5',
  ];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };
  static override flags = {
    force: Flags.boolean({
      description: 'remove it even if units are placed there, and place them elsewhere',
      default: false,
      env: 'CLUSTER_FORCE',
    }),
    'keep-files': Flags.boolean({
      description: 'leave the program and the settings that machine install put there',
      default: false,
      env: 'CLUSTER_KEEP_FILES',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MachineRm);
    await this.withSession(flags, (session) =>
      removeMachine(session, args.machine, { force: flags.force, keepFiles: flags['keep-files'] }),
    );
  }
}
