import { listHosts } from '../../lib/control/traffic/lists.ts';
import { hostsTable } from '../../lib/ui/traffic.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class HostLs extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the TLS hosts';

  async run(): Promise<void> {
    const { flags } = await this.parse(HostLs);
    await this.look(flags, listHosts, hostsTable);
  }
}
