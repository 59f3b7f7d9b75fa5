import { getSeverity } from '../../lib/control/traffic/severity.ts';
import { okLine } from '../../lib/ui/traffic-change.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class LogGetSeverity extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show how much the running gateways log';

  async run(): Promise<void> {
    const { flags } = await this.parse(LogGetSeverity);
    const severity = await this.withSession(flags, getSeverity);
    if (flags.json) this.printJson({ severity });
    else this.print(okLine(`severity: ${severity}`));
  }
}
