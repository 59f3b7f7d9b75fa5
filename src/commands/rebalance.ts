import { ClusterCommand } from '../base.ts';
import { healthFlag, toggle } from '../flags.ts';
import { throwFailures } from '../lib/control/report.ts';
import { rebalance } from '../lib/control/units/rebalance.ts';
import { EXIT } from '../lib/error.ts';
import { moveLines } from '../lib/ui/plan.ts';

export default class Rebalance extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary = 'Move units to the machines that suit them best now';
  static override description =
    'Placing never moves a unit for the sake of Spread=, Prefer=, free memory and CPUs or an even number of units; this does. One unit moves at a time: it is stopped where it was once it runs elsewhere. The first failure ends it.\n\nExit code with --dry-run: 0 nothing to do; 2 moves are pending; 1 an error.';
  static override examples = ['<%= config.bin %> rebalance --dry-run', '<%= config.bin %> rebalance'];
  static override flags = {
    ...healthFlag,
    'dry-run': toggle('dry-run', 'only show what would be moved, and why'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Rebalance);
    const dry = flags['dry-run'] ?? false;
    const { moves, done, failures } = await this.withSession(flags, (session) => rebalance(session, dry));
    if (flags.json && failures.length === 0) this.printJson({ moves, done });
    else if (!flags.json && moves.length === 0) this.print('Nothing to do.\n');
    else if (!flags.json && dry) this.print(moveLines(moves));
    throwFailures(failures);
    if (dry && moves.length > 0) process.exitCode = EXIT.changes;
  }
}
