import { camelKeys, text } from '../../flags.ts';
import { sealFiles, writeSecret } from '../../lib/control/traffic/secret.ts';
import { keyPairFlags, TrafficCommand } from '../_traffic.ts';

export default class SecretSealKeypair extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Seal a private key and its certificate, as a host stores them';
  static override examples = [
    '<%= config.bin %> secret seal_keypair --seal-key $KEY --private-key a.key --cert a.pem',
  ];
  static override flags = {
    ...keyPairFlags,
    file: text('file', 'file to write, readable by its owner only', { char: 'f' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SecretSealKeypair);
    const { text: sealed } = await sealFiles(camelKeys(flags));
    if (flags.file !== undefined) await writeSecret(flags.file, sealed);
    else this.print(sealed);
  }
}
