import { ClusterCommand } from '../../base.ts';
import { labFlags } from '../../flags.ts';
import { labMachines } from '../../lib/control/machines/lab.ts';
import { renderTable } from '../../lib/ui/table.ts';

export default class LabStatus extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the machines of a lab';
  static override examples = ['<%= config.bin %> lab status'];
  static override flags = labFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(LabStatus);
    const machines = await this.withSession(flags, (session) => labMachines(session, flags.name));
    if (flags.json) return this.printJson(machines);
    const rows = machines.map(({ id, name, address, port, hollow }) => [
      `${id.slice(0, 8)}...`,
      name,
      `${address}:${port}`,
      hollow ? 'hollow' : 'real',
    ]);
    this.print(renderTable(['machine', 'name', 'address', 'kind'], rows, true));
  }
}
