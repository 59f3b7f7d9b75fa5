import { listServers } from '../../lib/control/traffic/lists.ts';
import { serversTable } from '../../lib/ui/traffic.ts';
import { backendFlag, TrafficCommand } from '../_traffic.ts';

export default class ServerLs extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the servers of a backend';
  static override examples = ['<%= config.bin %> server ls -b demo-application-v0.2.0'];
  static override flags = backendFlag;

  async run(): Promise<void> {
    const { flags } = await this.parse(ServerLs);
    await this.look(flags, (session) => listServers(session, flags.backend), serversTable);
  }
}
