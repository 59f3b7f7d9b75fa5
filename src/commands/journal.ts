import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { journalStream, journalText } from '../lib/control/units/journal.ts';
import { locate } from '../lib/control/units/locate.ts';
import { printable, printableJson } from '../lib/printable.ts';

export default class Journal extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Print the journal of units, merged in order of time';
  static override aliases = ['logs'];
  static override strict = false;
  static override examples = [
    "<%= config.bin %> journal --follow 'demo@*'",
    '<%= config.bin %> journal --lines 50 hello',
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    lines: Flags.integer({
      char: 'n',
      description: 'how many recent lines of each unit to print',
      default: 10,
      min: 0,
      env: 'CLUSTER_LINES',
    }),
    follow: Flags.boolean({
      char: 'f',
      description: 'keep printing new lines',
      default: false,
      env: 'CLUSTER_FOLLOW',
    }),
    output: Flags.string({
      description: 'journalctl output mode, for a single unit',
      default: 'short',
      env: 'CLUSTER_OUTPUT',
    }),
    machine: Flags.string({ description: 'only on this machine', env: 'CLUSTER_MACHINE' }),
    sudo: Flags.boolean({
      env: 'CLUSTER_SUDO',
      description: 'accepted as in fleetctl; sudo is used wherever it is needed',
      hidden: true,
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Journal);
    await this.withSession(flags, async (session) => {
      const located = await locate(session, argv as string[], flags.machine);
      const [only] = located;
      if (only !== undefined && located.length === 1 && !flags.follow && !flags.json) {
        const text = await journalText(session, only, flags);
        if (flags.output.startsWith('json')) this.printRaw(printableJson(text));
        else if (flags.output === 'export' && !process.stdout.isTTY) this.printRaw(text);
        else this.print(text);
        return;
      }
      const stop = new AbortController();
      process.once('SIGINT', () => stop.abort());
      const several = new Set(located.map(({ machine }) => machine.id)).size > 1;
      await journalStream(
        session,
        located,
        flags,
        ({ located: { unit, machine }, text, time }) => {
          const where = several ? `${unit}@${machine.target.address}` : unit;
          if (flags.json) this.printJson({ time, unit, machine: machine.id, text }, 0);
          else {
            const line = `${new Date(time / 1000).toISOString()} ${where}: ${printable(text)}`;
            this.print(`${line}\n`);
          }
        },
        stop.signal,
      );
    });
  }
}
