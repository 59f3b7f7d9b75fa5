import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { stop } from '../lib/control/units/stop.ts';

export default class Stop extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Stop units; they stay installed on their machines';
  static override strict = false;
  static override examples = ["<%= config.bin %> stop 'demo@*'"];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = waitFlags;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Stop);
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    const units = await this.withSession(flags, (session) =>
      stop(session, argv as string[], 'loaded', options),
    );
    if (flags.json) this.printJson({ units });
    else if (options.block) this.tell(`Successfully stopped units [${units.join(' ')}].`);
  }
}
