import { setTimeout as sleep } from 'node:timers/promises';
import { Flags } from '@oclif/core';
import { trafficTop } from '../lib/control/traffic-top.ts';
import { ClusterErrors } from '../lib/error.ts';
import { topText } from '../lib/ui/traffic-top.ts';
import { backendFlag, TrafficCommand } from './_traffic.ts';

export default class Top extends TrafficCommand {
  static override summary = 'Show how busy the frontends and servers are, over all gateways';
  static override description =
    'As vctl top. gateway top shows the same by what HAProxy itself counts, with totals.';
  static override examples = ['<%= config.bin %> top -b demo-application-v0.2.0 --refresh 0'];
  static override flags = {
    ...backendFlag,
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
    const { flags } = await this.parse(Top);
    const again = flags.refresh > 0 && process.stdout.isTTY && !flags.json;
    await this.withSession(flags, async (session) => {
      do {
        const top = await trafficTop(session, flags.backend, flags.limit);
        const { frontends, servers, errors } = top;
        if (flags.json) this.printJson({ frontends, servers });
        else this.print(`${again ? '\u001b[H\u001b[2J' : ''}${topText(top)}`);
        if (errors.length > 0 && !again) throw new ClusterErrors(errors, flags.json);
        for (const error of errors) process.stderr.write(`${error.message}\n`);
        if (again) await sleep(flags.refresh * 1000);
      } while (again);
    });
  }
}
