import { MiddlewareUpsert, middlewareFlags, variableFlag } from '../_middleware.ts';
import { camelKeys, count } from '../_traffic.ts';

export default class ConnlimitUpsert extends MiddlewareUpsert {
  static override summary = 'Limit the connections of a client to a frontend';
  static override examples = [
    '<%= config.bin %> connlimit upsert -f demo.example.test --id cl1 --connections 10',
  ];
  static override flags = {
    ...middlewareFlags,
    connections: count('connections', 'connections at once; 1 where nothing is said', { aliases: ['conns'] }),
    ...variableFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ConnlimitUpsert);
    await this.upsert('connlimit', flags, camelKeys(flags));
  }
}
