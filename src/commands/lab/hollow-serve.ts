import { Command, Flags } from '@oclif/core';

/** `lab up --hollow` starts this as a process of its own. */
export default class LabHollowServe extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override hidden = true;
  static override summary = 'Serve hollow machines until stopped';
  static override flags = {
    name: Flags.string({ required: true }),
    machines: Flags.integer({ required: true }),
    'state-dir': Flags.string({ required: true }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(LabHollowServe);
    const { runHollowProcess } = await import('../../lib/lab/hollow/process.ts');
    await runHollowProcess({ name: flags.name, machines: flags.machines, stateDir: flags['state-dir'] });
  }
}
