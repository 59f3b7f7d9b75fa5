import { Args } from '@oclif/core';
import { text } from '../../flags.ts';
import { setSeverity } from '../../lib/control/traffic/severity.ts';
import { okLine } from '../../lib/ui/traffic-change.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class LogSetSeverity extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'Set how much the running gateways log';
  static override examples = ['<%= config.bin %> log set_severity -s debug'];
  static override args = {
    severity: Args.string({ description: 'debug, info, warning or error; instead of --severity' }),
  };
  static override flags = {
    severity: text('severity', 'debug, info, warning or error', { char: 's' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(LogSetSeverity);
    const severity = flags.severity ?? args.severity;
    const now = await this.withSession(flags, (session) => setSeverity(session, severity));
    if (flags.json) this.printJson({ kind: 'log', severity: now, notes: this.notes });
    else this.print(okLine('log severity updated'));
  }
}
