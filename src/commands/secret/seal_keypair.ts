import { sealFiles, writeSecret } from '../../lib/control/traffic/secret.ts';
import { camelKeys, keyPairFlags, TrafficCommand, text } from '../_traffic.ts';

export default class SecretSealKeypair extends TrafficCommand {
  static override summary = 'Seal a private key and its certificate, as they are stored in a host';
  static override examples = [
    '<%= config.bin %> secret seal_keypair --seal-key $KEY --private-key a.key --cert a.pem',
  ];
  static override flags = {
    ...keyPairFlags,
    file: text('file', 'file to write, for its owner alone', { char: 'f' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SecretSealKeypair);
    const sealed = await sealFiles(camelKeys(flags));
    if (flags.file !== undefined) await writeSecret(flags.file, sealed);
    else this.print(sealed);
  }
}
