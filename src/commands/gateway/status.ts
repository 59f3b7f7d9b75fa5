import { ClusterCommand } from '../../base.ts';
import { gatewayStatuses } from '../../lib/control/traffic/gateways.ts';
import { ClusterErrors } from '../../lib/error.ts';
import { gatewayTable } from '../../lib/ui/gateways.ts';
import { registratorRemarks } from '../../lib/ui/registrators.ts';

export default class GatewayStatus extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show what each running gateway serves and what it leaves out';
  static override examples = ['<%= config.bin %> gateway status', '<%= config.bin %> gateway status --json'];

  async run(): Promise<void> {
    const { flags } = await this.parse(GatewayStatus);
    const { answers, registrators } = await this.withSession(flags, async (session) => ({
      answers: await gatewayStatuses(session),
      registrators: await (await session.registrators()).load(),
    }));
    if (flags.json)
      this.printJson(
        answers.map((answer) => ({
          ...answer.gateway,
          registrator: registrators.find(({ machine }) => machine === answer.gateway.machine) ?? null,
          ...('value' in answer ? answer.value : { error: answer.error.message }),
        })),
      );
    else this.print(gatewayTable(answers) + registratorRemarks(registrators));
    const errors = answers.flatMap((answer) => ('error' in answer ? [answer.error] : []));
    if (errors.length > 0) throw new ClusterErrors(errors, flags.json);
  }
}
