import { listFrontends } from '../../lib/control/traffic/lists.ts';
import { frontendsTable } from '../../lib/ui/traffic.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class FrontendLs extends TrafficCommand {
  static override summary = 'List the frontends: their routes and where they point';

  async run(): Promise<void> {
    const { flags } = await this.parse(FrontendLs);
    await this.look(flags, listFrontends, frontendsTable);
  }
}
