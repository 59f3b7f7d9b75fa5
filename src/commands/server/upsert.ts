import { count, text } from '../../flags.ts';
import { upsertServer } from '../../lib/control/traffic/objects.ts';
import { backendFlag, gatewayWaitFlags, idFlag, TrafficCommand, ttlFlag } from '../_traffic.ts';

export default class ServerUpsert extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'servers';
  static override summary = 'Create or change a server of a backend; with --ttl, run this again to renew it';
  static override examples = [
    '<%= config.bin %> server upsert -b demo-application-v0.2.0 --id web1 --url http://10.0.0.5:8080',
    '<%= config.bin %> server upsert -b api --id %H --url http://10.0.0.5:8080 --ttl 11s',
    '<%= config.bin %> server upsert -b api --id canary --weight 10',
  ];
  static override flags = {
    ...idFlag('server'),
    ...backendFlag,
    url: text('url', 'http://HOST:PORT or https://HOST:PORT'),
    weight: count('weight', 'share of the requests, 0 to 256; vulcand ignores it', { min: 0 }),
    ...ttlFlag,
    ...gatewayWaitFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ServerUpsert);
    const { url, weight } = flags;
    await this.change(
      flags,
      (session) => upsertServer(session, flags, { url, weight }, flags.ttl),
      'server upserted',
    );
  }
}
