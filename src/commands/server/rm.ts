import { removeServer } from '../../lib/control/traffic/objects.ts';
import { backendFlag, gatewayWaitFlags, idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class ServerRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'servers';
  static override summary = 'Remove a server; requests it is serving may finish';
  static override examples = ['<%= config.bin %> server rm -b demo-application-v0.2.0 --id web1'];
  static override args = idArgument('server');
  static override flags = { ...idFlag('server'), ...backendFlag, ...gatewayWaitFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServerRm);
    const id = oneId(flags.id, args.id);
    await this.change(
      flags,
      (session) => removeServer(session, { backend: flags.backend, id }),
      `Server ${id} deleted`,
    );
  }
}
