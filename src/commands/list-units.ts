import { ClusterCommand } from '../base.ts';
import { listFlags } from '../flags.ts';
import { listUnits } from '../lib/control/units/list.ts';
import { ClusterError, ClusterErrors, EXIT } from '../lib/error.ts';
import { unitColumns } from '../lib/ui/columns.ts';
import { renderList } from '../lib/ui/fields.ts';

export default class ListUnits extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List units on their machines, with the state systemd reports';
  static override aliases = ['units'];
  static override examples = [
    '<%= config.bin %> list-units',
    '<%= config.bin %> list-units --fields unit,active --no-legend',
  ];
  static override flags = listFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(ListUnits);
    const rows = await this.withSession(flags, listUnits);
    if (flags.json) this.printJson(rows);
    else {
      const options = { fields: flags.fields, legend: !flags['no-legend'] };
      this.print(renderList(unitColumns(flags.full), 'unit,machine,active,sub', rows, options));
    }
    const away = new Map(
      rows.flatMap((row) => (row.error === undefined ? [] : [[row.machine?.id, row.error]])),
    );
    const errors = [...away].map(
      ([machine, message]) =>
        new ClusterError('machine-unreachable', message ?? '', {
          machine: machine ?? '',
          exit: EXIT.machine,
        }),
    );
    // The rows already name the errors; a second JSON document after them would make the output unreadable.
    if (errors.length > 0 && flags.json) process.exitCode = EXIT.machine;
    else if (errors.length > 0) throw new ClusterErrors(errors);
  }
}
