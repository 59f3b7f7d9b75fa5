import { showServer } from '../../lib/control/traffic/lists.ts';
import { serversTable } from '../../lib/ui/traffic.ts';
import { backendFlag, idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class ServerShow extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'servers';
  static override summary = 'Show a server';
  static override examples = ['<%= config.bin %> server show -b demo-application-v0.2.0 --id web1'];
  static override args = idArgument('server');
  static override flags = { ...idFlag('server'), ...backendFlag };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServerShow);
    await this.look(
      flags,
      (session) => showServer(session, flags.backend, oneId(flags.id, args.id)),
      (server) => serversTable([server], 'Server'),
    );
  }
}
