import { Command } from '@oclif/core';
import { candidates } from '../cli/complete.ts';

export default class Complete extends Command {
  static override summary = 'Print what may come next on a command line; shells ask this.';
  static override hidden = true;
  static override strict = false;

  async run(): Promise<void> {
    const { argv } = await this.parse(Complete);
    for (const candidate of await candidates(argv.map(String))) this.log(candidate);
    // A registry that did not answer in time would hold up the shell.
    process.stdout.write('', () => process.exit(0));
  }
}
