import { ClusterCommand } from '../../base.ts';
import { registratorStatuses } from '../../lib/control/traffic/registrators.ts';
import { registratorTable } from '../../lib/ui/registrators.ts';

export default class RegistratorStatus extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show what each running registrator announces, and what containers do not get';
  static override examples = [
    '<%= config.bin %> registrator status',
    '<%= config.bin %> registrator status --json',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(RegistratorStatus);
    const records = await this.withSession(flags, registratorStatuses);
    if (flags.json) this.printJson(records);
    else this.print(registratorTable(records));
  }
}
