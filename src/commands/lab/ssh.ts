import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { labFlags, splitRemote } from '../../flags.ts';
import { labMachines } from '../../lib/control/machines/lab.ts';
import { ClusterError } from '../../lib/error.ts';

export default class LabSsh extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'machines';
  static override summary = 'Open a shell on a machine of a lab, or run a command there';
  static override strict = false;
  static passThrough = true;
  static override examples = [
    '<%= config.bin %> lab ssh lab-1',
    '<%= config.bin %> lab ssh lab-2 systemctl list-jobs',
  ];
  static override args = {
    machine: Args.string({ description: 'name, address or id prefix', required: true }),
  };
  static override flags = labFlags;

  async run(): Promise<void> {
    const known = { ...ClusterCommand.baseFlags, ...LabSsh.flags };
    const { own, command } = splitRemote(this.argv, known, () => 1);
    const { args, flags } = await this.parse(LabSsh, own);
    const wanted = args.machine;
    process.exitCode = await this.withSession(flags, async (session) => {
      const machines = await labMachines(session, flags.name);
      const found = machines.find(
        ({ id, name, address }) => name === wanted || address === wanted || id.startsWith(wanted),
      );
      if (found === undefined)
        throw new ClusterError('unknown-machine', `no machine ${wanted} in lab ${flags.name}`, {
          hint: 'cluster lab status',
        });
      const machine = await session.connect(found);
      const { stdin, stdout, stderr } = process;
      return machine.interactive(command, { stdin, stdout, stderr });
    });
  }
}
