import { trafficTop } from '../lib/control/traffic/top.ts';
import { topText } from '../lib/ui/traffic-top.ts';
import { TopCommand, topFlags } from './_top.ts';
import { backendFlag } from './_traffic.ts';

export default class Top extends TopCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show how busy frontends and servers are, across all gateways';
  static override description =
    'Prints the columns of vctl top. gateway top shows the counters of HAProxy itself, with totals.';
  static override examples = ['<%= config.bin %> top -b demo-application-v0.2.0 --refresh 0'];
  static override flags = { ...backendFlag, ...topFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(Top);
    await this.withSession(flags, (session) =>
      this.watch(flags, async () => {
        const top = await trafficTop(session, flags.backend, flags.limit);
        const { frontends, servers, errors } = top;
        return { json: { frontends, servers }, text: topText(top), errors };
      }),
    );
  }
}
