import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { healthFlag } from '../../flags.ts';
import { drainMachine, previewDrain } from '../../lib/control/machines/drain.ts';
import { rolloutPlanText } from '../../lib/ui/rollout.ts';
import { drainFlags, drainOptions } from '../_rollout.ts';

export default class MachineDrain extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'machines';
  static override summary = 'Empty a machine: its units go elsewhere, one after another';
  static override description =
    'A rollout: the machine is cordoned, each unit is started on another machine and stopped here once it is healthy there. Global units leave last. The machine stays cordoned. Where a unit can go nowhere, nothing is changed and the reason is said.';
  static override examples = [
    '<%= config.bin %> machine drain --dry-run e9436653',
    '<%= config.bin %> machine drain 10.0.0.5 --deadline 5m',
  ];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };
  static override flags = {
    ...healthFlag,
    ...drainFlags,
    force: Flags.boolean({
      description: 'stop units that no other machine can have; they start again as soon as one can',
      default: false,
      env: 'CLUSTER_FORCE',
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MachineDrain);
    await this.withSession(flags, async (session) => {
      const options = { ...drainOptions(session, flags), force: flags.force };
      if (!flags['dry-run']) return await drainMachine(session, args.machine, options);
      const plan = await previewDrain(session, args.machine, options);
      if (flags.json) this.printJson(plan);
      else this.print(rolloutPlanText(plan));
    });
  }
}
