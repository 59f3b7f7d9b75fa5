import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { stop } from '../lib/control/units/stop.ts';

export default class Unload extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Stop units and remove them from their machines';
  static override strict = false;
  static override examples = ["<%= config.bin %> unload 'demo@*'"];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = waitFlags;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Unload);
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    const units = await this.withSession(flags, (session) =>
      stop(session, argv as string[], 'inactive', options),
    );
    if (flags.json) this.printJson({ units });
    else this.tell(`Successfully unloaded units [${units.join(' ')}].`);
  }
}
