import { ClusterCommand } from '../../base.ts';
import { listConnections } from '../../lib/control/machines/connections.ts';
import { connectionsTable } from '../../lib/ui/connections.ts';

export default class ConnectionsLs extends ClusterCommand {
  static override summary = 'List the SSH connections that are held for the commands that follow';
  static override description =
    'After two commands within a minute a process of its own holds their connections (ssh.persist, --ssh-persist), as ' +
    "ssh's ControlPersist does, so that the next ones need no login. An unused connection is closed after that time.";
  static override examples = ['<%= config.bin %> connections ls'];

  async run(): Promise<void> {
    const { flags } = await this.parse(ConnectionsLs);
    const connections = await this.withSession(flags, listConnections);
    if (flags.json) this.printJson(connections);
    else this.print(connectionsTable(connections));
  }
}
