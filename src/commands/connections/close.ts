import { ClusterCommand } from '../../base.ts';
import { closeConnections } from '../../lib/control/machines/connections.ts';

export default class ConnectionsClose extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Close the held SSH connections and end the process that holds them';
  static override examples = ['<%= config.bin %> connections close'];

  async run(): Promise<void> {
    const { flags } = await this.parse(ConnectionsClose);
    const closed = await this.withSession(flags, closeConnections);
    if (flags.json) this.printJson({ closed });
    else this.print(`${closed} connection${closed === 1 ? '' : 's'} closed.\n`);
  }
}
