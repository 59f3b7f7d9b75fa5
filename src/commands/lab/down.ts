import { ClusterCommand } from '../../base.ts';
import { labFlags } from '../../flags.ts';
import { labDown } from '../../lib/control/machines/lab.ts';

export default class LabDown extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'none';
  static override summary = 'Stop the machines of a lab and remove everything they left behind';
  static override examples = ['<%= config.bin %> lab down'];
  static override flags = labFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(LabDown);
    await this.withSession(flags, (session) => labDown(session, flags.name, (line) => this.tell(line)));
    if (flags.json) this.printJson({ name: flags.name });
    else this.print(`Lab ${flags.name} is gone.\n`);
  }
}
