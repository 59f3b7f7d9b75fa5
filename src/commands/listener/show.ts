import { showListener } from '../../lib/control/traffic/lists.ts';
import { listenersTable } from '../../lib/ui/traffic.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class ListenerShow extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'listeners';
  static override summary = 'Show a listener';
  static override examples = ['<%= config.bin %> listener show public'];
  static override args = idArgument('listener');
  static override flags = idFlag('listener');

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ListenerShow);
    await this.look(
      flags,
      (session) => showListener(session, oneId(flags.id, args.id)),
      (listener) => listenersTable([listener]),
    );
  }
}
