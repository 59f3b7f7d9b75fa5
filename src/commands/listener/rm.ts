import { removeListener } from '../../lib/control/traffic/objects.ts';
import { gatewayWaitFlags, idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class ListenerRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'listeners';
  static override summary = 'Remove a listener';
  static override examples = ['<%= config.bin %> listener rm public'];
  static override args = idArgument('listener');
  static override flags = { ...idFlag('listener'), ...gatewayWaitFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ListenerRm);
    await this.change(
      flags,
      (session) => removeListener(session, oneId(flags.id, args.id)),
      'listener deleted',
    );
  }
}
