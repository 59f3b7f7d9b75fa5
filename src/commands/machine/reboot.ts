import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { machinesPlanText } from '../../lib/ui/rollout.ts';
import { machinesArgument, machinesFlags, runMachines } from '../_machines.ts';

export default class MachineReboot extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'machines';
  static override summary = 'Reboot machines and wait until they are back and well';
  static override description =
    "Never takes more of etcd's members away than its quorum can spare, nor the last gateway. A machine that does not come back halts the rest and keeps its slot of the lock.";
  static override strict = false;
  static override examples = [
    '<%= config.bin %> machine reboot e9436653',
    '<%= config.bin %> machine reboot --rolling --if-needed',
    "<%= config.bin %> machine reboot --rolling --group rack --window 'Thu 23:00 1h30m'",
  ];
  static override args = machinesArgument;
  static override flags = {
    ...machinesFlags,
    'if-needed': Flags.boolean({
      description: 'leave out machines that need no reboot',
      default: false,
      env: 'CLUSTER_IF_NEEDED',
    }),
    deadline: Flags.string({
      description: 'how long a machine may take to come back, and then to be well',
      default: '10m',
      env: 'CLUSTER_DEADLINE',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(MachineReboot);
    const what = { kind: 'reboot', ifNeeded: flags['if-needed'], rebootIfNeeded: false } as const;
    const plan = await this.withSession(flags, (session) =>
      runMachines(session, argv as string[], flags, what),
    );
    if (plan === null) return;
    if (flags.json) this.printJson(plan);
    else this.print(machinesPlanText(plan));
  }
}
