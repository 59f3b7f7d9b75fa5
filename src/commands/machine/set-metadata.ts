import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { setMetadata } from '../../lib/control/machines/metadata.ts';

export default class MachineSetMetadata extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'machines';
  static override summary = 'Set or remove metadata of a machine; units that no longer fit move away';
  static override strict = false;
  static override examples = ['<%= config.bin %> machine set-metadata e9436653 role=web rack='];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name', required: true }),
    pair: Args.string({ description: 'KEY=VALUE, or KEY= to remove', required: true }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(MachineSetMetadata);
    const [machine = '', ...pairs] = argv as string[];
    const record = await this.withSession(flags, (session) => setMetadata(session, machine, pairs));
    if (flags.json) this.printJson(record);
  }
}
