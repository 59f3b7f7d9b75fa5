import { Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { healthFlag } from '../flags.ts';
import { throwFailures } from '../lib/control/report.ts';
import { reconcile } from '../lib/control/units/reconcile.ts';
import { EXIT } from '../lib/error.ts';
import { stepLines } from '../lib/ui/plan.ts';

export default class Reconcile extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary = 'Make every machine match the registry';
  static override description =
    'Exit code with --dry-run: 0 nothing to do; 2 changes are pending; 1 an error.';
  static override examples = [
    '<%= config.bin %> reconcile',
    '<%= config.bin %> reconcile --dry-run --machine e9436653',
  ];
  static override flags = {
    ...healthFlag,
    machine: Flags.string({ description: 'only this machine', env: 'CLUSTER_MACHINE' }),
    'dry-run': Flags.boolean({
      description: 'only show what would be done',
      default: false,
      env: 'CLUSTER_DRY_RUN',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Reconcile);
    const dry = flags['dry-run'];
    const { steps, failures } = await this.withSession(flags, (session) =>
      reconcile(session, flags.machine, dry),
    );
    if (flags.json && failures.length === 0) this.printJson({ steps });
    else if (dry && !flags.json && steps.length > 0) this.print(stepLines(steps));
    throwFailures(failures);
    if (steps.length === 0 && !flags.json) this.print('Nothing to do.\n');
    if (dry && steps.length > 0) process.exitCode = EXIT.changes;
  }
}
