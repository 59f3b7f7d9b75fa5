import { camelKeys, list, text, toggle } from '../../flags.ts';
import { upsertHost } from '../../lib/control/traffic/hosts.ts';
import { gatewayWaitFlags, keyPairFlags, TrafficCommand } from '../_traffic.ts';

export default class HostUpsert extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'hosts';
  static override summary = 'Create or change a TLS host; its key pair is stored sealed';
  static override examples = [
    '<%= config.bin %> host upsert --name a.example.test --private-key a.key --cert a.pem --seal-key $KEY',
  ];
  static override flags = {
    name: text('name', 'host name'),
    ...keyPairFlags,
    default: toggle('default', 'use its certificate for clients that send no host name'),
    ocsp: toggle('ocsp', 'OCSP stapling'),
    'ocsp-skip-check': toggle('ocsp-skip-check', 'insecure: do not check the signature of OCSP responses'),
    'ocsp-period': text('ocsp-period', 'how often to fetch a response, such as 1h'),
    'ocsp-responder': list('ocsp-responder', 'URL of an OCSP responder; may be repeated'),
    ...gatewayWaitFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(HostUpsert);
    const given = camelKeys(flags);
    await this.change(flags, (session) => upsertHost(session, flags.name, given, given), 'host added');
  }
}
