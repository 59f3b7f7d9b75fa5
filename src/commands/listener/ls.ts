import { listListeners } from '../../lib/control/traffic/lists.ts';
import { listenersTable } from '../../lib/ui/traffic.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class ListenerLs extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the listeners';

  async run(): Promise<void> {
    const { flags } = await this.parse(ListenerLs);
    await this.look(flags, listListeners, listenersTable);
  }
}
