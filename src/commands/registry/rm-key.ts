import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { removeProblem } from '../../lib/control/registry-problems.ts';

export default class RegistryRmKey extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'Remove a key of the registry whose value cannot be read';
  static override description = 'Refuses every key that can be read. `registry problems` lists the others.';
  static override examples = ["<%= config.bin %> registry rm-key '/cluster/units/a b.service'"];
  static override args = {
    key: Args.string({
      description: 'the whole key, as it is or as registry problems prints it',
      required: true,
    }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RegistryRmKey);
    const { key, message } = await this.withSession(flags, (session) => removeProblem(session, args.key));
    if (flags.json) return this.printJson({ removed: key, message });
    this.print(`Removed ${JSON.stringify(key)}\n`);
  }
}
