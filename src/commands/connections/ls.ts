import { ClusterCommand } from '../../base.ts';
import { listConnections } from '../../lib/control/machines/connections.ts';
import { connectionsTable } from '../../lib/ui/connections.ts';

export default class ConnectionsLs extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the SSH connections that are held for later commands';
  static override description =
    'After two commands within a minute, a background process holds their connections, as ControlPersist does in ssh, so ' +
    'that later commands need no login. A connection that is unused for --ssh-persist (ssh.persist) is closed.';
  static override examples = ['<%= config.bin %> connections ls'];

  async run(): Promise<void> {
    const { flags } = await this.parse(ConnectionsLs);
    const connections = await this.withSession(flags, listConnections);
    if (flags.json) this.printJson(connections);
    else this.print(connectionsTable(connections));
  }
}
