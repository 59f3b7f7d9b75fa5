import { Args } from '@oclif/core';
import { text } from '../../flags.ts';
import { showHost } from '../../lib/control/traffic/lists.ts';
import { hostsTable } from '../../lib/ui/traffic.ts';
import { oneId, TrafficCommand } from '../_traffic.ts';

export default class HostShow extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'hosts';
  static override summary = 'Show a TLS host';
  static override examples = ['<%= config.bin %> host show a.example.test'];
  static override args = { name: Args.string({ description: 'host name, instead of --name' }) };
  static override flags = { name: text('name', 'host name') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostShow);
    await this.look(
      flags,
      (session) => showHost(session, oneId(flags.name, args.name)),
      (host) => hostsTable([host], 'Host'),
    );
  }
}
