import { ClusterCommand } from '../base.ts';
import { listFlags } from '../flags.ts';
import { listMachines } from '../lib/control/machines/list.ts';
import { machineColumns } from '../lib/ui/columns.ts';
import { renderList } from '../lib/ui/fields.ts';

export default class ListMachines extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the machines of the cluster';
  static override aliases = ['machines'];
  static override examples = [
    '<%= config.bin %> list-machines',
    '<%= config.bin %> list-machines --full --no-legend',
  ];
  static override flags = listFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(ListMachines);
    const rows = await this.withSession(flags, listMachines);
    if (flags.json) return this.printJson(rows);
    const options = { fields: flags.fields, legend: !flags['no-legend'] };
    this.print(renderList(machineColumns(flags.full), 'machine,ip,metadata', rows, options));
  }
}
