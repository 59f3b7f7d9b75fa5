import { Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag } from '../flags.ts';
import type { MachineName } from '../lib/control/event.ts';
import { throwFailures } from '../lib/control/report.ts';
import { reconcile } from '../lib/control/units/reconcile.ts';
import { EXIT } from '../lib/error.ts';
import { machineLegend } from '../lib/ui/format.ts';
import { stepLines } from '../lib/ui/plan.ts';

export default class Reconcile extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary = 'Make every machine match the registry';
  static override description =
    'Says what it stops and removes, and why, before it does. Units that cluster installed and this registry has no record of are removed only after a yes: on a terminal, or with --yes.\n\nExit code with --dry-run: 0 nothing to do; 2 changes are pending; 1 an error.';
  static override examples = [
    '<%= config.bin %> reconcile',
    '<%= config.bin %> reconcile --dry-run --machine e9436653',
  ];
  static override flags = {
    ...healthFlag,
    machine: Flags.string({ description: 'only this machine', env: 'CLUSTER_MACHINE' }),
    yes: Flags.boolean({
      description: 'also stop and remove units that cluster installed and this registry has no record of',
      default: false,
      env: 'CLUSTER_YES',
    }),
    'dry-run': Flags.boolean({
      description: 'only show what would be done',
      default: false,
      env: 'CLUSTER_DRY_RUN',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconcile);
    const dry = flags['dry-run'];
    const mayRemove = (machine: MachineName, units: readonly string[]): Promise<boolean> => {
      const what = `${units.join(' ')} on ${machineLegend(machine, false)}, which this registry has no record of`;
      return this.confirm(`Stop and remove ${what}`, flags);
    };
    const { steps, failures } = await this.withSession(flags, (session) =>
      reconcile(session, flags.machine, { dryRun: dry, mayRemove }),
    );
    if (flags.json && failures.length === 0) this.printJson({ steps });
    else if (dry && !flags.json && steps.length > 0) this.print(stepLines(steps));
    throwFailures(failures);
    if (steps.length === 0 && !flags.json) this.print('Nothing to do.\n');
    if (dry && steps.length > 0) process.exitCode = EXIT.changes;
  }
}
