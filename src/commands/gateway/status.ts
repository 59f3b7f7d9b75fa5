import { ClusterCommand } from '../../base.ts';
import { gatewayStatuses } from '../../lib/control/traffic/gateways.ts';
import { ClusterErrors } from '../../lib/error.ts';
import { gatewayTable } from '../../lib/ui/gateways.ts';

export default class GatewayStatus extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show what each running gateway serves and what it leaves out';
  static override examples = ['<%= config.bin %> gateway status', '<%= config.bin %> gateway status --json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(GatewayStatus);
    const answers = await this.withSession(flags, gatewayStatuses);
    if (flags.json)
      this.printJson(
        answers.map((answer) => ({
          ...answer.gateway,
          ...('value' in answer ? answer.value : { error: answer.error.message }),
        })),
      );
    else this.print(gatewayTable(answers));
    const errors = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
    if (errors.length > 0) throw new ClusterErrors(errors, flags.json);
  }
}
