import { listBackends } from '../../lib/control/traffic/lists.ts';
import { backendsTable } from '../../lib/ui/traffic.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class BackendLs extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the backends';

  async run(): Promise<void> {
    const { flags } = await this.parse(BackendLs);
    await this.look(flags, listBackends, backendsTable);
  }
}
