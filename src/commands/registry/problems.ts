import { ClusterCommand } from '../../base.ts';
import { registryProblems } from '../../lib/control/registry-problems.ts';
import { problemLines } from '../../lib/ui/problems.ts';

export default class RegistryProblems extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'List the keys of the registry whose values cannot be read';
  static override description =
    'Such a key is left alone: what it names is neither placed nor stopped. Everything else works. Exit code: 0 there is none, 1 otherwise.';
  static override examples = ['<%= config.bin %> registry problems'];

  async run(): Promise<void> {
    const { flags } = await this.parse(RegistryProblems);
    const problems = await this.withSession(flags, registryProblems);
    if (problems.length > 0) process.exitCode = 1;
    if (flags.json) return this.printJson(problems);
    this.print(problems.length === 0 ? 'Every key can be read.\n' : problemLines(problems));
  }
}
