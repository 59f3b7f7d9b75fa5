import { Flags } from '@oclif/core';
import { ClusterCommand } from '../base.ts';
import { eventFilter, followEvents, listEvents } from '../lib/control/events.ts';
import { eventLine } from '../lib/ui/history.ts';
import { untilInterrupted } from './_process.ts';

export default class Events extends ClusterCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show who changed what in the cluster, oldest first';
  static override examples = [
    "<%= config.bin %> events --since 2h --unit 'web@*'",
    '<%= config.bin %> events --follow --json',
  ];
  static override flags = {
    follow: Flags.boolean({
      char: 'f',
      description: 'go on and print what happens',
      default: false,
      env: 'CLUSTER_FOLLOW',
    }),
    unit: Flags.string({ description: 'only about this unit; a pattern is allowed', env: 'CLUSTER_UNIT' }),
    machine: Flags.string({
      description: 'only about this machine and units on it: an id, or the beginning of one',
      env: 'CLUSTER_MACHINE',
    }),
    since: Flags.string({
      description: 'nothing older, such as 2h or 2026-01-31T08:00:00Z',
      env: 'CLUSTER_SINCE',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Events);
    const filter = eventFilter(flags, new Date());
    await this.withSession(flags, async (session) => {
      if (!flags.follow) {
        const events = await listEvents(session, filter);
        if (flags.json) this.printJson(events);
        else for (const event of events) this.print(`${eventLine(event)}\n`);
        return;
      }
      await untilInterrupted(async (signal) => {
        for await (const event of followEvents(session, filter, signal)) {
          if (flags.json) this.printJson(event, 0);
          else this.print(`${eventLine(event)}\n`);
        }
      });
    });
  }
}
