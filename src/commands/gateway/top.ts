import { setTimeout as sleep } from 'node:timers/promises';
import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { gatewayTop } from '../../lib/control/gateways.ts';
import { ClusterErrors } from '../../lib/error.ts';
import { topTables } from '../../lib/ui/gateways.ts';

export default class GatewayTop extends ClusterCommand {
  static override summary =
    'Show requests, latency and errors by frontend and server, of all gateways together';
  static override description = 'Counters are those of HAProxy since it was last reloaded.';
  static override examples = [
    '<%= config.bin %> gateway top',
    '<%= config.bin %> gateway top --refresh 0 --json',
  ];
  static override flags = {
    limit: Flags.integer({
      description: 'how many of each (0: all)',
      default: 20,
      min: 0,
      env: 'CLUSTER_LIMIT',
    }),
    refresh: Flags.integer({
      description: 'seconds between two looks (0: look once); where nobody looks on, once',
      default: 1,
      min: 0,
      env: 'CLUSTER_REFRESH',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(GatewayTop);
    const again = flags.refresh > 0 && process.stdout.isTTY && !flags.json;
    await this.withSession(flags, async (session) => {
      for (;;) {
        const { top, errors } = await gatewayTop(session);
        if (flags.json) this.printJson(top);
        else this.print(`${again ? '\u001b[H\u001b[2J' : ''}${topTables(top, flags.limit)}`);
        if (!again && errors.length > 0) throw new ClusterErrors(errors, flags.json);
        if (!again) return;
        for (const error of errors) process.stderr.write(`${error.message}\n`);
        await sleep(flags.refresh * 1000);
      }
    });
  }
}
