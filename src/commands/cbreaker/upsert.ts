import { camelKeys, text } from '../../flags.ts';
import { MiddlewareUpsert, middlewareFlags } from '../_middleware.ts';

export default class CbreakerUpsert extends MiddlewareUpsert {
  static override summary = 'Answer in place of failing servers until they recover';
  static override examples = [
    `<%= config.bin %> cbreaker upsert -f demo.example.test --id cb1 --condition 'NetworkErrorRatio() > 0.5' --fallback '{"Type":"response","Action":{"StatusCode":503,"Body":"later"}}'`,
  ];
  static override flags = {
    ...middlewareFlags,
    condition: text('condition', 'when to trip, such as NetworkErrorRatio() > 0.5'),
    fallback: text('fallback', 'what to answer while tripped, in JSON'),
    'on-tripped': text('on-tripped', 'webhook to call when it trips, in JSON'),
    'on-standby': text('on-standby', 'webhook to call when it has recovered, in JSON'),
    'fallback-duration': text('fallback-duration', 'how long it stays tripped; 10s by default'),
    'recovery-duration': text(
      'recovery-duration',
      'how long it takes to let all requests through again; 10s by default',
    ),
    'check-period': text('check-period', 'how often the condition is checked; 100ms by default'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(CbreakerUpsert);
    await this.upsert('cbreaker', flags, camelKeys(flags));
  }
}
