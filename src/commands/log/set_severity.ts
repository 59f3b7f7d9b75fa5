import { Args } from '@oclif/core';
import { setSeverity } from '../../lib/control/traffic/severity.ts';
import { TrafficCommand, text } from '../_traffic.ts';

export default class LogSetSeverity extends TrafficCommand {
  static override summary = 'Say how much the running gateways log';
  static override examples = ['<%= config.bin %> log set_severity -s debug'];
  static override args = { severity: Args.string({ description: 'instead of --severity' }) };
  static override flags = {
    severity: text('severity', 'debug, info, warning or error', { char: 's' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(LogSetSeverity);
    const severity = flags.severity ?? args.severity;
    await this.change(flags, (session) => setSeverity(session, severity), 'log severity updated');
  }
}
