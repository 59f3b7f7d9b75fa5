import { MiddlewareUpsert, middlewareFlags, variableFlag } from '../_middleware.ts';
import { camelKeys, count, text } from '../_traffic.ts';

export default class RatelimitUpsert extends MiddlewareUpsert {
  static override summary = 'Limit the rate of requests to a frontend';
  static override examples = [
    '<%= config.bin %> ratelimit upsert -f demo.example.test --id rl1 --requests 100 --period 1 --burst 200',
  ];
  static override flags = {
    ...middlewareFlags,
    period: count('period', 'seconds; 1 where nothing is said'),
    requests: count('requests', 'requests per period; 1 where nothing is said'),
    burst: count('burst', 'requests at once; 1 where nothing is said'),
    ...variableFlag,
    'rate-var': text('rate-var', 'request.header.NAME that carries rates of its own'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(RatelimitUpsert);
    await this.upsert('ratelimit', flags, camelKeys(flags));
  }
}
