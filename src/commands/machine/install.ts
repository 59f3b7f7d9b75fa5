import { realpathSync } from 'node:fs';
import path from 'node:path';
import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { type InstallOutcome, installMachines } from '../../lib/control/machines/install.ts';
import { ClusterErrors } from '../../lib/error.ts';
import { installTeller, outdatedLines } from '../../lib/ui/install.ts';

export default class MachineInstall extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'machines';
  static override summary = 'Install cluster itself on machines, for the gateway and the registrator';
  static override description =
    'Sends a self-contained release (no Node is needed there) to /opt/cluster on machines that have a different one, and the settings of the store to /etc/cluster/environment. Restarts nothing.';
  static override strict = false;
  static override examples = [
    '<%= config.bin %> machine install',
    '<%= config.bin %> machine install e9436653 --machine-endpoint http://10.0.0.5:2379',
  ];
  static override args = { machine: Args.string({ description: 'id prefixes, addresses or host names' }) };
  static override flags = {
    release: Flags.string({
      description: 'release to install; by default the newest in dist/release, which a clone builds first',
      env: 'CLUSTER_RELEASE',
    }),
    'machine-endpoint': Flags.string({
      description: 'etcd endpoints as the machines reach them, if different',
      env: 'CLUSTER_MACHINE_ENDPOINT',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(MachineInstall);
    const outcomes: InstallOutcome[] = [];
    const tell = installTeller();
    const options = {
      release: flags.release ?? null,
      machineEndpoint: flags['machine-endpoint'] ?? null,
      root: path.dirname(path.dirname(realpathSync(process.argv[1] ?? ''))),
    };
    const failures = await this.withSession(flags, (session) =>
      installMachines(session, argv as string[], options, (step) => {
        if (step.kind === 'done') outcomes.push(step.outcome);
        for (const { to, text } of tell(step)) {
          if (to === 'stderr') this.tell(text);
          else if (!flags.json) this.print(`${text}\n`);
        }
      }),
    );
    if (flags.json && failures.length === 0) this.printJson({ machines: outcomes });
    if (!flags.json) for (const line of outdatedLines(outcomes)) this.print(`${line}\n`);
    if (failures.length > 0) throw new ClusterErrors(failures, true);
  }
}
