import { gatewayTop } from '../../lib/control/traffic/gateways.ts';
import { topTables } from '../../lib/ui/gateways.ts';
import { TopCommand, topFlags } from '../_top.ts';

export default class GatewayTop extends TopCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show requests, latency and errors by frontend and server, across all gateways';
  static override description = 'Counters start from zero when HAProxy is reloaded.';
  static override examples = [
    '<%= config.bin %> gateway top',
    '<%= config.bin %> gateway top --refresh 0 --json',
  ];
  static override flags = topFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(GatewayTop);
    await this.withSession(flags, (session) =>
      this.watch(flags, async () => {
        const { top, errors } = await gatewayTop(session);
        return { json: top, text: topTables(top, flags.limit), errors };
      }),
    );
  }
}
