import { Command } from '@oclif/core';
import { candidates } from '../cli/complete.ts';
import { manifestOf } from '../cli/oclif.ts';

export default class Complete extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Print what may come next on a command line, for shells';
  static override hidden = true;
  static override strict = false;

  async run(): Promise<void> {
    const { argv } = await this.parse(Complete);
    const names = await candidates(argv.map(String), await manifestOf(this));
    for (const name of names) this.log(name);
    // A registry that did not answer in time would hold up the shell.
    process.stdout.write('', () => process.exit(0));
  }
}
