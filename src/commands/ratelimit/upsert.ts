import { camelKeys, count, text } from '../../flags.ts';
import { MiddlewareUpsert, middlewareFlags, variableFlag } from '../_middleware.ts';

export default class RatelimitUpsert extends MiddlewareUpsert {
  static override summary = 'Limit the rate of requests to a frontend';
  static override examples = [
    '<%= config.bin %> ratelimit upsert -f demo.example.test --id rl1 --requests 100 --period 1 --burst 200',
  ];
  static override flags = {
    ...middlewareFlags,
    period: count('period', 'length of the period in seconds; 1 by default'),
    requests: count('requests', 'requests per period; 1 by default'),
    burst: count('burst', 'requests allowed at once; 1 by default'),
    ...variableFlag,
    'rate-var': text('rate-var', 'request.header.NAME of a header that carries its own rates'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(RatelimitUpsert);
    await this.upsert('ratelimit', flags, camelKeys(flags));
  }
}
