import { ClusterCommand } from '../base.ts';
import { layout, listFlags } from '../flags.ts';
import { listMachines, type MachineRow } from '../lib/control/machines/list.ts';
import { machineColumns } from '../lib/ui/columns.ts';
import { renderList } from '../lib/ui/fields.ts';

export default class ListMachines extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the machines of the cluster';
  static override description =
    'On a terminal, or where these fields or JSON are asked for, each machine is asked whether it answers (state) and which release of cluster it has; one that takes longer than 5 s counts as away. A pipe gets what fleetctl prints.';
  static override aliases = ['machines', 'machine:ls', 'machine:list'];
  static override examples = [
    '<%= config.bin %> list-machines',
    '<%= config.bin %> list-machines --full --no-legend',
  ];
  static override flags = listFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(ListMachines);
    const standard = process.stdout.isTTY ? 'machine,ip,state,release,units,metadata' : 'machine,ip,metadata';
    const ask = flags.json || /\b(state|release)\b/.test(flags.fields ?? standard);
    const rows = await this.withSession(flags, (session) => listMachines(session, ask), { looks: true });
    if (flags.json) return this.printJson(rows);
    const isAway = (row: MachineRow): boolean => row.state === 'away';
    this.print(renderList(machineColumns(flags.full), standard, rows, layout(flags), isAway));
  }
}
