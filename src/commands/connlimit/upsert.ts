import { camelKeys, count } from '../../flags.ts';
import { MiddlewareUpsert, middlewareFlags, variableFlag } from '../_middleware.ts';

export default class ConnlimitUpsert extends MiddlewareUpsert {
  static override summary = 'Limit the concurrent connections of a client to a frontend';
  static override examples = [
    '<%= config.bin %> connlimit upsert -f demo.example.test --id cl1 --connections 10',
  ];
  static override flags = {
    ...middlewareFlags,
    connections: count('connections', 'concurrent connections; 1 by default', { aliases: ['conns'] }),
    ...variableFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ConnlimitUpsert);
    await this.upsert('connlimit', flags, camelKeys(flags));
  }
}
