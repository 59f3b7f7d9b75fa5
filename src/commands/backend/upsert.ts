import { upsertBackend } from '../../lib/control/traffic/objects.ts';
import { camelKeys, count, idFlag, TrafficCommand, text, tlsFlags } from '../_traffic.ts';

export default class BackendUpsert extends TrafficCommand {
  static override summary = 'Make or change a backend; what is not said stays';
  static override examples = [
    '<%= config.bin %> backend upsert --id demo-application-v0.2.0',
    '<%= config.bin %> backend upsert --id api --read-timeout 30s --sticky-cookie SERVER',
  ];
  static override flags = {
    ...idFlag,
    'read-timeout': text('read-timeout', 'how long an answer may take to begin, such as 30s'),
    'dial-timeout': text('dial-timeout', 'how long a connection may take to open'),
    'handshake-timeout': text('handshake-timeout', 'how long a TLS handshake may take'),
    'keep-alive-period': text('keep-alive-period', 'TCP keep-alive period'),
    'max-idle-conns': count('max-idle-conns', 'idle connections kept per server'),
    'sticky-cookie': text('sticky-cookie', 'cookie that ties a client to a server; a vulcand ignores it'),
    ...tlsFlags,
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
