import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { replaceFlag, waitFlags } from '../flags.ts';
import { start } from '../lib/control/units/start.ts';

export default class Submit extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Store units in the registry without placing them';
  static override strict = false;
  static override examples = ['<%= config.bin %> submit demo@.service'];
  static override args = { unit: Args.string({ description: 'unit names, files, ranges or patterns' }) };
  static override flags = { ...waitFlags, ...replaceFlag };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Submit);
    const options = {
      block: !flags['no-block'],
      attempts: flags['block-attempts'],
      differing: flags.replace ? ('replace' as const) : flags.keep ? ('keep' as const) : ('refuse' as const),
    };
    await this.withSession(flags, (session) => start(session, argv as string[], 'inactive', options));
  }
}
