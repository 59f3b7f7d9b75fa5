import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { fileDiff } from '../lib/control/units/file-history.ts';
import { diffText } from '../lib/ui/history.ts';

export default class Diff extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Show what changed between two texts of a unit file';
  static override description =
    'Without hashes: between the text before the current one and the current one. The beginning of a hash is enough; cluster history shows them.';
  static override examples = ['<%= config.bin %> diff web@', '<%= config.bin %> diff web@ 3f2a91c 8d11e04'];
  static override args = {
    unit: Args.string({ description: 'unit or template', required: true }),
    from: Args.string({ description: 'hash of the older text' }),
    to: Args.string({ description: 'hash of the newer text; the current one without it' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Diff);
    const diff = await this.withSession(flags, (session) => fileDiff(session, args.unit, args.from, args.to));
    if (flags.json) this.printJson({ ...diff, diff: await diffText(diff) });
    else this.print(await diffText(diff));
  }
}
