import { Command } from '@oclif/core';
import { showHelp } from '../cli/help.ts';

export default class HelpCommand extends Command {
  static override summary = 'Show help for cluster or for one command.';
  static override strict = false;
  static override usage = 'help [COMMAND]';
  static override examples = ['<%= config.bin %> help', '<%= config.bin %> help machine add'];

  async run(): Promise<void> {
    const { argv } = await this.parse(HelpCommand);
    await showHelp(argv.map(String));
  }
}
