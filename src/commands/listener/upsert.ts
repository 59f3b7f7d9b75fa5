import { camelKeys, text } from '../../flags.ts';
import { upsertListener } from '../../lib/control/traffic/objects.ts';
import { gatewayWaitFlags, idFlag, TrafficCommand, tlsFlags } from '../_traffic.ts';

export default class ListenerUpsert extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'listeners';
  static override summary = 'Create or change a listener, an address that gateways listen on';
  static override examples = [
    '<%= config.bin %> listener upsert --id public --proto https --addr 0.0.0.0:443 --tls-min-v VersionTLS12',
  ];
  static override flags = {
    ...idFlag('listener'),
    proto: text('proto', 'http or https'),
    net: text('net', 'tcp or unix'),
    addr: text('addr', 'HOST:PORT, or the name of a socket in /run/cluster-gateway/listeners'),
    'socket-mode': text('socket-mode', 'mode of that socket, 0660 where it is not set'),
    scope: text('scope', 'route that all its requests must match, such as Host("a.example.test")'),
    'proxy-header': text('proxy-header', 'PROXY_V1, or none'),
    'client-auth': text('client-auth', 'certificates of clients: required, optional or none'),
    'client-ca': text('client-ca', 'PEM file with the authorities that sign them; alone: required'),
    ...tlsFlags,
    ...gatewayWaitFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ListenerUpsert);
    await this.change(
      flags,
      (session) => upsertListener(session, flags.id, camelKeys(flags)),
      'listener upserted',
    );
  }
}
