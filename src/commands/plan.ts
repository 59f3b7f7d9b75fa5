import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { type Planned, plan } from '../lib/control/units/plan.ts';
import { planOnPaper } from '../lib/control/units/plan-on-paper.ts';
import { EXIT } from '../lib/error.ts';
import { changesText, planText } from '../lib/ui/plan.ts';

export default class PlanCommand extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Show what starting units would do, and why, without changing anything';
  static override description =
    'With units, the steps of starting them, with the local files where these differ from the stored ones (as start --replace); without, the steps of reconcile on all machines. Only machines that these steps concern are contacted.\n\nExit code: 0 nothing to do; 2 changes are pending; 1 an error, a unit that cannot be placed or a machine that does not answer; 5 the registry cannot be reached.\n\n--inventory needs neither machines nor a registry. It names a YAML or JSON file such as {"machines":[{"id":"M1","metadata":{"role":"web"}}],"units":[]}.';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> plan 'demo@<1..3>.service'",
    '<%= config.bin %> plan --inventory cluster.json --json web.service',
  ];
  static override args = {
    unit: Args.string({ description: 'unit names, files, ranges or patterns, as for start' }),
  };
  static override flags = {
    inventory: Flags.string({
      description: 'plan for the machines and units in this file',
      env: 'CLUSTER_INVENTORY',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(PlanCommand);
    const units = argv as string[];
    const planned =
      flags.inventory === undefined
        ? await this.withSession(flags, (session) => plan(session, units))
        : { plan: await planOnPaper(flags.inventory, units), silent: 0, changes: [] };
    if (flags.json) this.printJson(inJson(planned));
    else this.print((await changesText(planned.changes)) + planText(planned.plan, planned.silent));
    process.exitCode = planned.silent > 0 ? EXIT.failed : planned.plan.exit();
  }
}

/** Changed files come with both texts, so that a program can compare them in its own way. */
const inJson = ({ plan, changes }: Planned) => (changes.length === 0 ? plan : { ...plan, changes });
