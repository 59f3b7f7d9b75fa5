import { Args } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { fileHistory } from '../lib/control/units/file-history.ts';
import { versionsTable } from '../lib/ui/history.ts';

export default class History extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary =
    'Show the last texts of a unit file: who wrote them, when, and which units have them';
  static override examples = ['<%= config.bin %> history web@', '<%= config.bin %> diff web@'];
  static override args = { unit: Args.string({ description: 'unit or template; all files without it' }) };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(History);
    const versions = await this.withSession(flags, (session) => fileHistory(session, args.unit));
    if (flags.json) this.printJson(versions);
    else this.print(versionsTable(versions));
  }
}
