import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { locate } from '../lib/control/units/locate.ts';
import { statusOf } from '../lib/control/units/status.ts';

export default class Status extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Show the systemctl status of units on each of their machines';
  static override description = 'Exits with the code of the first systemctl status that was not 0.';
  static override strict = false;
  static override examples = ["<%= config.bin %> status 'demo@*'"];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    machine: Flags.string({ description: 'only on this machine', env: 'CLUSTER_MACHINE' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Status);
    const answers = await this.withSession(flags, async (session) =>
      statusOf(session, await locate(session, argv as string[], flags.machine)),
    );
    if (flags.json)
      this.printJson(
        answers.map(({ located, code, text, why }) => ({
          unit: located.unit,
          machine: located.machine.id,
          code,
          text,
          why,
        })),
      );
    else
      this.print(answers.map(({ text, why }) => `${text}${why ? `        Why: ${why}\n` : ''}`).join('\n'));
    process.exitCode = answers.find(({ code }) => code !== 0)?.code ?? 0;
  }
}
