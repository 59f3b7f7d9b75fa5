import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag, replaceFlag, waitFlags } from '../flags.ts';
import { start } from '../lib/control/units/start.ts';

export default class Start extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Start units; place and install them first where needed';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> start 'demo@<1..3>.service'",
    '<%= config.bin %> start --replace web.service',
  ];
  static override args = { unit: Args.string({ description: 'unit names, files, ranges or patterns' }) };
  static override flags = { ...waitFlags, ...healthFlag, ...replaceFlag };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Start);
    const options = {
      block: !flags['no-block'],
      attempts: flags['block-attempts'],
      differing: flags.replace ? ('replace' as const) : flags.keep ? ('keep' as const) : ('refuse' as const),
    };
    await this.withSession(flags, (session) => start(session, argv as string[], 'launched', options));
  }
}
