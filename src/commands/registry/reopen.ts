import { ClusterCommand } from '../../base.ts';
import { reopenRegistry } from '../../lib/control/registry-copy.ts';

export default class RegistryReopen extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'Use a registry again that was copied to another place';
  static override description =
    'Lifts the mark that registry copy left. A machine that has seen later changes, from the copy, still refuses this registry: see machine add --take-over.';
  static override examples = ['<%= config.bin %> registry reopen'];

  async run(): Promise<void> {
    const { flags } = await this.parse(RegistryReopen);
    const moved = await this.withSession(flags, (session) => reopenRegistry(session));
    if (flags.json) return this.printJson({ moved });
    this.print(
      moved === null
        ? 'Nothing to do: this registry is in use.\n'
        : `This registry counts again; that at ${moved.endpoints.join(',')} must not be used any more.\n`,
    );
  }
}
