import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { machinesPlanText } from '../../lib/ui/rollout.ts';
import { machinesArgument, machinesFlags, runMachines } from '../_machines.ts';

export default class MachineUpdate extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'machines';
  static override summary = 'Install newer packages on machines, with apt or dnf';
  static override description =
    'The update runs in a unit of its own (cluster-update.service) and goes on when the connection ends. Versions before and after are kept with the rollout: cluster rollout show.';
  static override strict = false;
  static override examples = [
    '<%= config.bin %> machine update e9436653',
    '<%= config.bin %> machine update --rolling --reboot-if-needed',
  ];
  static override args = machinesArgument;
  static override flags = {
    ...machinesFlags,
    'reboot-if-needed': Flags.boolean({
      description: 'reboot each machine that needs it afterwards',
      default: false,
      env: 'CLUSTER_REBOOT_IF_NEEDED',
    }),
    deadline: Flags.string({
      description: 'how long an update may take, then a reboot, and then the way to health',
      default: '30m',
      env: 'CLUSTER_DEADLINE',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(MachineUpdate);
    const what = { kind: 'update', ifNeeded: false, rebootIfNeeded: flags['reboot-if-needed'] } as const;
    const plan = await this.withSession(flags, (session) =>
      runMachines(session, argv as string[], flags, what),
    );
    if (plan === null) return;
    if (flags.json) this.printJson(plan);
    else this.print(machinesPlanText(plan));
  }
}
