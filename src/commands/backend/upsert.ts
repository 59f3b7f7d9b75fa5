import { camelKeys, count, text } from '../../flags.ts';
import { upsertBackend } from '../../lib/control/traffic/objects.ts';
import { gatewayWaitFlags, idFlag, TrafficCommand, tlsFlags } from '../_traffic.ts';

export default class BackendUpsert extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'backends';
  static override summary = 'Create or change a backend; settings that are not given stay as they are';
  static override examples = [
    '<%= config.bin %> backend upsert --id demo-application-v0.2.0',
    '<%= config.bin %> backend upsert --id api --read-timeout 30s --sticky-cookie SERVER',
  ];
  static override flags = {
    ...idFlag('backend'),
    'read-timeout': text('read-timeout', 'how long a server may take to begin its answer, such as 30s'),
    'dial-timeout': text('dial-timeout', 'how long connecting to a server may take'),
    'handshake-timeout': text('handshake-timeout', 'how long a TLS handshake may take'),
    'keep-alive-period': text('keep-alive-period', 'TCP keep-alive period'),
    'max-idle-conns': count('max-idle-conns', 'idle connections kept per server'),
    'sticky-cookie': text('sticky-cookie', 'cookie that ties a client to a server; vulcand ignores it'),
    ...tlsFlags,
    ...gatewayWaitFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(BackendUpsert);
    await this.change(
      flags,
      (session) => upsertBackend(session, flags.id, camelKeys(flags)),
      `Backend(id=${flags.id}) upserted`,
    );
  }
}
