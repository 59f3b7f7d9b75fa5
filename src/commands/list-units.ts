import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { layout, list, listFlags } from '../flags.ts';
import { listUnits, type UnitRow } from '../lib/control/units/list.ts';
import { ClusterErrors } from '../lib/error.ts';
import { unitColumns } from '../lib/ui/columns.ts';
import { renderList } from '../lib/ui/fields.ts';

export default class ListUnits extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'units';
  static override summary = 'List units on their machines, with the state systemd reports';
  static override aliases = ['units', 'ps'];
  static override examples = [
    '<%= config.bin %> list-units',
    "<%= config.bin %> list-units 'demo@*' --state failed",
    '<%= config.bin %> list-units --fields unit,active --no-legend',
  ];
  static override strict = false;
  static override args = { unit: Args.string({ description: 'unit names, ranges or patterns; none: all' }) };
  static override flags = {
    ...listFlags,
    state: list('state', 'only units in this state, such as failed, active or running; may be repeated'),
    machine: Flags.string({ description: 'only on this machine', env: 'CLUSTER_MACHINE' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(ListUnits);
    const standard = process.stdout.isTTY ? `${FLEET},since,restarts` : FLEET;
    const query = {
      names: argv as string[],
      states: (flags.state ?? []).flatMap((words) => words.split(',')),
      machine: flags.machine,
      reasons: flags.json || /\bwhy\b/.test(flags.fields ?? standard),
      ages: flags.json || /\b(since|restarts)\b/.test(flags.fields ?? standard),
    };
    const { rows, errors } = await this.withSession(flags, (session) => listUnits(session, query), {
      looks: true,
    });
    if (flags.json) this.printJson(rows);
    else {
      const columns = unitColumns(flags.full, Date.now());
      this.print(renderList(columns, standard, rows, layout(flags), isBad));
    }
    // The rows already name the errors; a second JSON document after them would make the output unreadable.
    if (errors.length > 0 && flags.json) process.exitCode = errors[0]?.exit;
    else if (errors.length > 0) throw new ClusterErrors(errors);
  }
}

/** What fleetctl prints, and so every pipe gets. */
const FLEET = 'unit,machine,active,sub';

const isBad = ({ active }: UnitRow): boolean => ['failed', 'unreachable', 'unplaced'].includes(active);
