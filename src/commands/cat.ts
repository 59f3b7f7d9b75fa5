import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { catUnit } from '../lib/control/units/cat.ts';

export default class Cat extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Print the stored file of a unit';
  static override examples = ['<%= config.bin %> cat demo@1', '<%= config.bin %> cat --render demo@1'];
  static override strict = false;
  static override args = { unit: Args.string({ description: 'unit name', required: true }) };
  static override flags = {
    render: Flags.boolean({
      description: 'fill in all specifiers, as on the machine of the unit',
      default: false,
      env: 'CLUSTER_RENDER',
    }),
    machine: Flags.string({ description: 'render for this machine', env: 'CLUSTER_MACHINE' }),
  };

  async run(): Promise<void> {
    const { argv, args, flags } = await this.parse(Cat);
    const options = {
      render: flags.render || flags.machine !== undefined,
      ...(flags.machine !== undefined && { machine: flags.machine }),
    };
    const text = await this.withSession(flags, (session) => catUnit(session, argv as string[], options));
    if (flags.json) this.printJson({ unit: args.unit, text });
    else if (process.stdout.isTTY) this.print(text);
    else this.printRaw(text);
  }
}
