import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { restart } from '../lib/control/units/restart.ts';

export default class Restart extends ClusterCommand {
  static override summary = 'Restart launched units where they are; loaded ones are started';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> restart 'demo@*'",
    '<%= config.bin %> restart --rolling gateway.service',
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    ...waitFlags,
    rolling: Flags.boolean({
      description: 'one machine after another, until a unit fails',
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
      replace: false,
      rolling: flags.rolling,
    };
    await this.withSession(flags, (session) => restart(session, argv as string[], options));
  }
}
