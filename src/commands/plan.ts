import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { plan } from '../lib/control/units/plan.ts';
import { planOnPaper } from '../lib/control/units/plan-on-paper.ts';
import { EXIT } from '../lib/error.ts';
import { planText } from '../lib/ui/plan.ts';

export default class PlanCommand extends ClusterCommand {
  static override summary = 'Show what starting units would do and why, touching nothing';
  static override description =
    'With units: the steps of starting them. Without: the steps of reconcile, on all machines. Only the machines that these steps concern are asked.\n\nExit code: 0 nothing to do, 2 changes, 1 error, units that cannot be placed, or machines that do not answer; 5 the registry is away.\n\nWith --inventory no machine and no registry is needed: it names a YAML or JSON file such as {"machines":[{"id":"M1","metadata":{"role":"web"}}],"units":[]}.';
  static override strict = false;
  static override examples = [
    "<%= config.bin %> plan 'demo@<1..3>.service'",
    '<%= config.bin %> plan --inventory cluster.json --json web.service',
  ];
  static override args = { unit: Args.string({ description: 'units to start, as for start' }) };
  static override flags = {
    inventory: Flags.string({ description: 'machines and units on paper', env: 'CLUSTER_INVENTORY' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(PlanCommand);
    const units = argv as string[];
    const planned =
      flags.inventory === undefined
        ? await this.withSession(flags, (session) => plan(session, units))
        : { plan: await planOnPaper(flags.inventory, units), silent: 0 };
    if (flags.json) this.printJson(planned.plan);
    else this.print(planText(planned.plan, planned.silent));
    process.exitCode = planned.silent > 0 ? EXIT.failed : planned.plan.exit();
  }
}
