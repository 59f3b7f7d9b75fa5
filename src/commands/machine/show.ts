import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { findMachine } from '../../lib/control/find-machine.ts';
import { machineCard } from '../../lib/ui/card.ts';

export default class MachineShow extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'machines';
  static override summary = 'Show a machine and the units placed on it';
  static override examples = ['<%= config.bin %> machine show e9436653'];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MachineShow);
    const state = await this.withSession(flags, (session) => session.state());
    const machine = findMachine(state, args.machine);
    const units = [...state.units.values()]
      .filter((unit) => unit.machine === machine.id)
      .map(({ name }) => name)
      .sort();
    if (flags.json) this.printJson({ ...machine, units });
    else this.print(machineCard(machine, units));
  }
}
