import { ClusterCommand } from '../base.ts';
import { layout, listFlags } from '../flags.ts';
import { listUnitFiles } from '../lib/control/units/list.ts';
import { unitFileColumns } from '../lib/ui/columns.ts';
import { renderList } from '../lib/ui/fields.ts';

export default class ListUnitFiles extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the units the cluster knows, with their desired state';
  static override examples = [
    '<%= config.bin %> list-unit-files',
    '<%= config.bin %> list-unit-files --fields unit,dstate,target',
  ];
  static override flags = listFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(ListUnitFiles);
    const rows = await this.withSession(flags, listUnitFiles);
    if (flags.json) return this.printJson(rows);
    if (flags.fields?.split(',').includes('tmachine'))
      this.tell('WARNING: The "tmachine" field is deprecated. Use "target" instead');
    const options = layout(flags);
    this.print(renderList(unitFileColumns(flags.full), 'unit,hash,dstate,state,target', rows, options));
  }
}
