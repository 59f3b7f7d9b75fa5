import { Args } from '@oclif/core';
import { text } from '../../flags.ts';
import { removeHost } from '../../lib/control/traffic/hosts.ts';
import { gatewayWaitFlags, oneId, TrafficCommand } from '../_traffic.ts';

export default class HostRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'hosts';
  static override summary = 'Remove a TLS host and its key pair';
  static override examples = ['<%= config.bin %> host rm a.example.test'];
  static override args = { name: Args.string({ description: 'host name, instead of --name' }) };
  static override flags = { name: text('name', 'host name'), ...gatewayWaitFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostRm);
    await this.change(flags, (session) => removeHost(session, oneId(flags.name, args.name)), 'host deleted');
  }
}
