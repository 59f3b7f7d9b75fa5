import { upsertListener } from '../../lib/control/traffic/objects.ts';
import { camelKeys, idFlag, TrafficCommand, text, tlsFlags } from '../_traffic.ts';

export default class ListenerUpsert extends TrafficCommand {
  static override summary = 'Make or change a listener: where gateways take requests';
  static override examples = [
    '<%= config.bin %> listener upsert --id public --proto https --addr 0.0.0.0:443 --tls-min-v VersionTLS12',
  ];
  static override flags = {
    ...idFlag,
    proto: text('proto', 'http or https'),
    net: text('net', 'tcp or unix'),
    addr: text('addr', 'HOST:PORT, or the name of a socket in /run/cluster-gateway/listeners'),
    'socket-mode': text('socket-mode', 'mode of that socket, 0660 where it is not set'),
    scope: text('scope', 'route that all its requests must match, such as Host("a.example.test")'),
    'proxy-header': text('proxy-header', 'PROXY_V1, or none'),
    ...tlsFlags,
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
