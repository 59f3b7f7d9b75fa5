import { Args } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { splitRemote, text } from '../../flags.ts';
import { execOn, undoOf } from '../../lib/control/machines/exec.ts';
import { sshTarget } from '../../lib/control/machines/ssh-target.ts';
import { ClusterError, EXIT } from '../../lib/error.ts';

export default class MachineExec extends ClusterCommand {
  static readonly changes = 'machines';
  static readonly completes = 'machines';
  static override summary = 'Run a command on a machine, and undo it if it cuts you off';
  static override description =
    'With --confirm-or-undo a timer on the machine runs the --undo command as root, unless cluster can log in anew once the command has ended. The exit code is that of the command.';
  static override strict = false;
  static passThrough = true;
  static override examples = [
    "<%= config.bin %> machine exec e9436653 --confirm-or-undo 2m --undo 'nft flush ruleset' -- nft -f /etc/nftables.conf",
  ];
  static override args = {
    machine: Args.string({ description: 'id prefix, address or host name' }),
  };
  static override flags = {
    'confirm-or-undo': text(
      'confirm-or-undo',
      'undo the command after this time, unless a login works before',
    ),
    undo: text('undo', 'what undoes the command, for the shell of the machine, as root'),
  };

  async run(): Promise<void> {
    const known = { ...ClusterCommand.baseFlags, ...MachineExec.flags };
    const { own, command } = splitRemote(this.argv, known, () => 1);
    const { args, flags } = await this.parse(MachineExec, own);
    if (args.machine === undefined || command === null)
      throw new ClusterError('no-command', 'Name a machine and a command', {
        hint: 'cluster machine exec MACHINE -- CMD; cluster ssh MACHINE opens a shell',
        exit: EXIT.usage,
      });
    const undo = undoOf(flags['confirm-or-undo'], flags.undo);
    const { machine } = args;
    const { stdin, stdout, stderr } = process;
    process.exitCode = await this.withSession(flags, async (session) => {
      const record = sshTarget(await session.state(), machine, 'machine');
      return execOn(session, record, command, undo, { stdin, stdout, stderr });
    });
  }
}
