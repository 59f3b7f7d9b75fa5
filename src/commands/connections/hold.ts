import { text } from 'node:stream/consumers';
import { Command } from '@oclif/core';
import { holdConnections } from '../../lib/control/machines/connections.ts';

/** What a command starts in a process of its own, with what to hold on stdin. */
export default class ConnectionsHold extends Command {
  static override hidden = true;
  static override summary = 'Hold SSH connections for the commands that follow';

  async run(): Promise<void> {
    await holdConnections(await text(process.stdin));
  }
}
