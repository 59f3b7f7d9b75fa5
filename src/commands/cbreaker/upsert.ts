import { MiddlewareUpsert, middlewareFlags } from '../_middleware.ts';
import { camelKeys, text } from '../_traffic.ts';

export default class CbreakerUpsert extends MiddlewareUpsert {
  static override summary = 'Answer for a frontend whose servers are in trouble';
  static override examples = [
    `<%= config.bin %> cbreaker upsert -f demo.example.test --id cb1 --condition 'NetworkErrorRatio() > 0.5' --fallback '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}'`,
  ];
  static override flags = {
    ...middlewareFlags,
    condition: text('condition', 'when it trips, such as NetworkErrorRatio() > 0.5'),
    fallback: text('fallback', 'JSON: what is answered while it is tripped'),
    'on-tripped': text('on-tripped', 'JSON: webhook when it trips'),
    'on-standby': text('on-standby', 'JSON: webhook when it is well again'),
    'fallback-duration': text('fallback-duration', 'how long it stays tripped; 10s where nothing is said'),
    'recovery-duration': text('recovery-duration', 'how long it takes back requests; 10s'),
    'check-period': text('check-period', 'how often the condition is looked at; 100ms'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(CbreakerUpsert);
    await this.upsert('cbreaker', flags, camelKeys(flags));
  }
}
