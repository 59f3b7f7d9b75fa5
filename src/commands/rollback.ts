import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag, waitFlags } from '../flags.ts';
import { rollbackFile } from '../lib/control/units/file-history.ts';

export default class Rollback extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Give a unit, or all instances of a template, the file that they had before';
  static override examples = [
    '<%= config.bin %> rollback web@',
    '<%= config.bin %> rollback web@1 --to 3f2a91c',
  ];
  static override args = { unit: Args.string({ description: 'unit or template', required: true }) };
  static override flags = {
    ...waitFlags,
    ...healthFlag,
    to: Flags.string({ description: 'hash of the text, or its beginning', env: 'CLUSTER_TO' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Rollback);
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    await this.withSession(flags, (session) => rollbackFile(session, args.unit, flags.to, options));
  }
}
