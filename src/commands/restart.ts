import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag, waitFlags } from '../flags.ts';
import { restart } from '../lib/control/units/restart.ts';

export default class Restart extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Restart launched units where they are, and start loaded ones';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> restart 'demo@*'",
    '<%= config.bin %> restart --rolling gateway.service',
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    ...waitFlags,
    ...healthFlag,
    rolling: Flags.boolean({
      description: 'restart on one machine after another; stop at the first failure',
      default: false,
      env: 'CLUSTER_ROLLING',
      exclusive: ['no-block'],
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restart);
    const options = {
      block: !flags['no-block'],
      attempts: flags['block-attempts'],
      rolling: flags.rolling,
    };
    await this.withSession(flags, (session) => restart(session, argv as string[], options));
  }
}
