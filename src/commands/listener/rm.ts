import { removeListener } from '../../lib/control/traffic/objects.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class ListenerRm extends TrafficCommand {
  static override summary = 'Remove a listener';
  static override examples = ['<%= config.bin %> listener rm public'];
  static override args = idArgument;
  static override flags = idFlag;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ListenerRm);
    await this.change(
      flags,
      (session) => removeListener(session, oneId(flags.id, args.id)),
      'listener deleted',
    );
  }
}
