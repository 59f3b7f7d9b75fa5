import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { restart } from '../lib/control/verbs.ts';

export default class Restart extends ClusterCommand {
  static override summary = 'Restart launched units where they are; loaded ones are started';
  static override strict = false;
  static override examples = ["<%= config.bin %> restart 'demo@*'"];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = waitFlags;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Restart);
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'], replace: false };
    await this.withSession(flags, (session) => restart(session, argv as string[], options));
  }
}
