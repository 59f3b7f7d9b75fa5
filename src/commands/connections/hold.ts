import { text } from 'node:stream/consumers';
import { Command } from '@oclif/core';
import { holdConnections } from '../../lib/control/machines/connections.ts';

/** Commands start this as a process of its own; what to hold comes on stdin. */
export default class ConnectionsHold extends Command {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override hidden = true;
  static override summary = 'Hold SSH connections for later commands';

  async run(): Promise<void> {
    await holdConnections(await text(process.stdin));
  }
}
