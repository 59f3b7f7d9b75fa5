import { text } from '../../flags.ts';
import { newSealKey, writeSecret } from '../../lib/control/traffic/secret.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class SecretNewKey extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Make a new seal key: 64 hex digits';
  static override examples = ['<%= config.bin %> secret new_key --file seal.key'];
  static override flags = { file: text('file', 'file to write, readable by its owner only', { char: 'f' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(SecretNewKey);
    const key = newSealKey();
    if (flags.file !== undefined) await writeSecret(flags.file, key);
    else if (flags.json) this.printJson({ key });
    else this.print(key);
  }
}
