import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { forgetFlag, replaceFlag, waitFlags } from '../flags.ts';
import { start } from '../lib/control/units/start.ts';

export default class Load extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Place units and install them on their machines without starting them';
  static override strict = false;
  static override examples = ['<%= config.bin %> load hello.service'];
  static override args = { unit: Args.string({ description: 'unit names, files, ranges or patterns' }) };
  static override flags = { ...waitFlags, ...replaceFlag, ...forgetFlag };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Load);
    const options = {
      block: !flags['no-block'],
      attempts: flags['block-attempts'],
      orForget: flags['or-forget'],
      differing: flags.replace ? ('replace' as const) : flags.keep ? ('keep' as const) : ('refuse' as const),
    };
    await this.withSession(flags, (session) => start(session, argv as string[], 'loaded', options));
  }
}
