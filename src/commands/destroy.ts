import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { destroy } from '../lib/control/units/destroy.ts';

export default class Destroy extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Stop units, remove them from their machines and forget them';
  static override strict = false;
  static override examples = ["<%= config.bin %> destroy 'demo@*'"];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = waitFlags;

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Destroy);
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'], replace: false };
    await this.withSession(flags, (session) => destroy(session, argv as string[], options));
  }
}
