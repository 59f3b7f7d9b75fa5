import { Command } from '@oclif/core';
import { BIN, VERSION } from '../cli/about.ts';

export default class Version extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Print the version';
  static override examples = ['<%= config.bin %> version'];

  async run(): Promise<void> {
    await this.parse(Version);
    this.log(`${BIN} version ${VERSION}`);
  }
}
