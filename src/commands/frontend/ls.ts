import { listFrontends } from '../../lib/control/traffic/lists.ts';
import { frontendsTable } from '../../lib/ui/traffic.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class FrontendLs extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the frontends, their routes and their backends';

  async run(): Promise<void> {
    const { flags } = await this.parse(FrontendLs);
    await this.look(flags, listFrontends, frontendsTable);
  }
}
