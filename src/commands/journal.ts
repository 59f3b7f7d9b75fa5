import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { text } from '../flags.ts';
import { type JournalLine, journalStream, journalText } from '../lib/control/units/journal.ts';
import { locate } from '../lib/control/units/locate.ts';
import { printableJson } from '../lib/printable.ts';
import { journalLine, requireMerged, sinceText } from '../lib/ui/journal.ts';

import { untilInterrupted } from './_process.ts';

export default class Journal extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'Print the journal of units, merged in order of time';
  static override aliases = ['logs'];
  static override strict = false;
  static override examples = [
    "<%= config.bin %> journal --follow 'demo@*'",
    '<%= config.bin %> journal --lines 50 hello',
    "<%= config.bin %> journal --since 1h --priority warning 'demo@*'",
  ];
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns' }) };
  static override flags = {
    lines: Flags.integer({
      char: 'n',
      description: 'how many recent lines of each unit to print; default 10, with --since all',
      min: 0,
      env: 'CLUSTER_LINES',
    }),
    follow: Flags.boolean({
      char: 'f',
      description: 'keep printing new lines',
      default: false,
      env: 'CLUSTER_FOLLOW',
    }),
    since: text('since', 'only what is not older, such as 10m, "1 hour ago" or "2026-01-31 12:00"'),
    priority: text('priority', 'only this priority and above, such as err or warning, or a range', {
      char: 'p',
    }),
    output: Flags.string({
      char: 'o',
      description:
        "json: journalctl's JSON, a line for each entry; cat: the text alone; more for a single unit",
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
    const { follow, output, priority } = flags;
    const since = sinceText(flags.since);
    const options = { follow, output, since, priority, lines: flags.lines ?? (since ? 'all' : 10) } as const;
    await this.withSession(flags, async (session) => {
      const located = await locate(session, argv as string[], flags.machine);
      const [only] = located;
      if (only !== undefined && located.length === 1 && !follow && !flags.json) {
        const said = await journalText(session, only, options);
        if (output.startsWith('json')) this.printRaw(printableJson(said));
        else if (output === 'export' && !process.stdout.isTTY) this.printRaw(said);
        else this.print(said);
        return;
      }
      requireMerged(output);
      const several = new Set(located.map(({ machine }) => machine.id)).size > 1;
      const show = ({ located: { unit, machine }, text: line, time, json }: JournalLine): void => {
        if (flags.json) this.printJson({ time, unit, machine: machine.id, text: line }, 0);
        else if (json !== undefined) this.printRaw(`${printableJson(json)}\n`);
        else
          this.print(`${journalLine(line, time, unit, several ? machine.target.address : null, output)}\n`);
      };
      await untilInterrupted((signal) => journalStream(session, located, options, show, signal));
    });
  }
}
