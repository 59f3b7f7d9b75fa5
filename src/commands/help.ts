import { Command, Flags } from '@oclif/core';
import { showHelp } from '../cli/help.ts';
import { manifestOf } from '../cli/oclif.ts';

export default class HelpCommand extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'commands';
  static override summary = 'Show help for cluster, a topic or a command';
  static override strict = false;
  static override usage = 'help [COMMAND | flags] [--all]';
  static override examples = [
    '<%= config.bin %> help',
    '<%= config.bin %> help machine add',
    '<%= config.bin %> help flags',
  ];
  static override flags = {
    all: Flags.boolean({ description: 'hidden commands and global flags too', env: 'CLUSTER_HELP_ALL' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(HelpCommand);
    await showHelp(argv.map(String), flags.all, await manifestOf(this));
  }
}
