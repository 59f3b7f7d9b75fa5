import { upsertHost } from '../../lib/control/traffic/hosts.ts';
import { camelKeys, keyPairFlags, list, TrafficCommand, text, toggle } from '../_traffic.ts';

export default class HostUpsert extends TrafficCommand {
  static override summary = 'Make or change a TLS host; its key pair is stored sealed';
  static override examples = [
    '<%= config.bin %> host upsert --name a.example.test --private-key a.key --cert a.pem --seal-key $KEY',
  ];
  static override flags = {
    name: text('name', 'host name'),
    ...keyPairFlags,
    default: toggle('default', 'its certificate is for clients that name no host'),
    ocsp: toggle('ocsp', 'OCSP stapling'),
    'ocsp-skip-check': toggle('ocsp-skip-check', "insecure: do not check the OCSP answer's signature"),
    'ocsp-period': text('ocsp-period', 'how often to ask, such as 1h'),
    'ocsp-responder': list('ocsp-responder', 'URL of a responder, may be repeated'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(HostUpsert);
    const said = camelKeys(flags);
    await this.change(flags, (session) => upsertHost(session, flags.name, said, said), 'host added');
  }
}
