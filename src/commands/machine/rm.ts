import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { healthFlag } from '../../flags.ts';
import { planRemoval, removeMachine } from '../../lib/control/machines/remove.ts';
import { removalText } from '../../lib/ui/rollout.ts';
import { drainFlags, drainOptions } from '../_rollout.ts';

export default class MachineRm extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'machines';
  static override summary = 'Remove a machine from the cluster; its units go elsewhere first';
  static override description =
    'What is placed on the machine leaves by a drain: each unit is stopped there once it is healthy elsewhere. Then global units and what cluster installed are taken off.';
  static override examples = [
    '<%= config.bin %> machine rm e9436653',
    '<%= config.bin %> machine rm --force 10.0.0.5',
  ];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };
  static override flags = {
    ...healthFlag,
    ...drainFlags,
    force: Flags.boolean({
      description: 'do not drain it, such as when it does not answer: its units are placed elsewhere at once',
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
    await this.withSession(flags, async (session) => {
      const { force, 'keep-files': keepFiles } = flags;
      const options = { ...drainOptions(session, flags), force, keepFiles };
      if (!flags['dry-run']) return await removeMachine(session, args.machine, options);
      const plan = await planRemoval(session, args.machine, options);
      if (flags.json) this.printJson(plan);
      else this.print(removalText(plan));
    });
  }
}
