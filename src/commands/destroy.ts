import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { waitFlags } from '../flags.ts';
import { throwFailures } from '../lib/control/report.ts';
import type { Session } from '../lib/control/session.ts';
import { destroy } from '../lib/control/units/destroy.ts';
import { unitsToDestroy, wouldDestroy } from '../lib/control/units/would-destroy.ts';
import { ClusterError, EXIT } from '../lib/error.ts';
import { stepLines } from '../lib/ui/plan.ts';

export default class Destroy extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'units';
  static override summary = 'Stop units, remove them from their machines and forget them';
  static override description =
    'On a terminal, a pattern is asked about before anything is changed.\n\nExit code with --dry-run: 2 there is something to destroy; 1 an error.';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> destroy 'demo@*'",
    "<%= config.bin %> destroy --dry-run 'demo@*'",
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    ...waitFlags,
    'dry-run': Flags.boolean({
      description: 'only show what would be destroyed',
      default: false,
      env: 'CLUSTER_DRY_RUN',
    }),
    yes: Flags.boolean({ char: 'y', description: 'do not ask', default: false, env: 'CLUSTER_YES' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Destroy);
    const args = argv as string[];
    const options = { block: !flags['no-block'], attempts: flags['block-attempts'] };
    const isPattern = args.some((arg) => /[*?[]/.test(arg));
    const asks = isPattern && !flags.yes && this.onTerminal(flags.json);
    await this.withSession(flags, async (session) => {
      if (flags['dry-run']) await this.#show(session, args, flags.json);
      else await destroy(session, asks ? await this.#confirmed(session, args) : args, options);
    });
  }

  async #show(session: Session, args: readonly string[], json: boolean): Promise<void> {
    const { units, steps, failures } = await wouldDestroy(session, args);
    throwFailures(failures);
    if (json) this.printJson({ units, steps });
    else this.print(`Would destroy ${units.join(' ')}\n${steps.length > 0 ? stepLines(steps) : ''}`);
    process.exitCode = EXIT.changes;
  }

  /** Exactly the units that the person saw, whatever a pattern means by then. */
  async #confirmed(session: Session, args: readonly string[]): Promise<string[]> {
    const units = await unitsToDestroy(session, args);
    const { askYes } = await import('../lib/ui/prompt.ts');
    const count = units.length === 1 ? '1 unit' : `${units.length} units`;
    if (await askYes(`${units.map((unit) => `  ${unit}\n`).join('')}Destroy ${count} (yes/no)? `))
      return units;
    throw new ClusterError('not-confirmed', `${count} not destroyed; nothing was changed`, {
      hint: 'answer yes, or use --yes to be asked nothing',
    });
  }
}
