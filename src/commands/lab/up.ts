import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { labFlags } from '../../flags.ts';
import { hollowUp, labUp } from '../../lib/control/machines/lab.ts';

export default class LabUp extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'none';
  static override summary = 'Create throw-away machines on this computer and register them';
  static override description =
    'Real machines (systemd as PID 1, sshd) need Linux and root. Hollow machines need neither: their systemd is simulated. It is safe to run this again.';
  static override examples = [
    '<%= config.bin %> lab up',
    '<%= config.bin %> lab up --machines 5 --docker',
    '<%= config.bin %> lab up --hollow 30',
  ];
  static override flags = {
    ...labFlags,
    machines: Flags.integer({
      description: 'number of real machines',
      default: 3,
      min: 1,
      max: 200,
      env: 'CLUSTER_LAB_MACHINES',
    }),
    docker: Flags.boolean({
      description: 'install Docker, etcd and HAProxy on the machines',
      default: false,
      env: 'CLUSTER_LAB_DOCKER',
    }),
    hollow: Flags.integer({
      description: 'create this many hollow machines instead',
      min: 1,
      max: 2000,
      env: 'CLUSTER_LAB_HOLLOW',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(LabUp);
    const { name, docker, hollow } = flags;
    const progress = (line: string): void => this.tell(line);
    const machines = await this.withSession(flags, (session) =>
      hollow === undefined
        ? labUp(session, { name, docker, machines: flags.machines }, progress)
        : hollowUp(session, { name, docker, machines: hollow }, process.argv[1] ?? '', progress),
    );
    if (flags.json) this.printJson(machines);
  }
}
