import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { splitRemote } from '../flags.ts';
import { sshTarget } from '../lib/control/machines/ssh-target.ts';
import { ClusterError } from '../lib/error.ts';

export default class Ssh extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'machines-and-units';
  static override summary = 'Open a shell on a machine, or run a command there and exit with its code';
  static override aliases = ['exec'];
  static override strict = false;
  static passThrough = true;
  static override examples = [
    '<%= config.bin %> ssh e9436653',
    '<%= config.bin %> ssh hello.service ls -la',
    "<%= config.bin %> ssh e9436653 'uptime | wc -l'",
  ];
  static override args = {
    target: Args.string({ description: 'machine (id prefix, address, host name) or unit' }),
  };
  static override flags = {
    machine: Flags.string({ description: 'log in to this machine', env: 'CLUSTER_MACHINE' }),
    unit: Flags.string({ description: 'log in to the machine of this unit', env: 'CLUSTER_UNIT' }),
    'forward-agent': Flags.boolean({
      char: 'A',
      description: 'let programs on the machine use your ssh-agent',
      default: false,
      env: 'CLUSTER_FORWARD_AGENT',
    }),
  };

  async run(): Promise<void> {
    const isNamed = (own: readonly string[]) =>
      own.some((word) => /^--(machine|unit)(=|$)/.test(word)) ||
      Boolean(process.env.CLUSTER_MACHINE || process.env.CLUSTER_UNIT);
    const known = { ...ClusterCommand.baseFlags, ...Ssh.flags };
    const { own, command } = splitRemote(this.argv, known, (words) => (isNamed(words) ? 0 : 1));
    const { args, flags } = await this.parse(Ssh, own);
    if (flags.machine !== undefined && flags.unit !== undefined)
      throw new ClusterError(
        'two-targets',
        'Both machine and unit flags provided, please specify only one.',
        { hint: 'leave one out' },
      );
    const wanted = flags.machine ?? flags.unit ?? args.target;
    if (wanted === undefined)
      throw new ClusterError('no-target', 'Name a machine or a unit', { hint: 'cluster list-machines' });
    const kind = flags.machine !== undefined ? 'machine' : flags.unit !== undefined ? 'unit' : 'any';
    process.exitCode = await this.withSession(flags, async (session) => {
      const machine = await session.machine(sshTarget(await session.state(), wanted, kind));
      const { stdin, stdout, stderr } = process;
      return machine.interactive(command, {
        stdin,
        stdout,
        stderr,
        forwardAgent: flags['forward-agent'],
      });
    });
  }
}
