import { Args, Flags } from '@oclif/core';
import { list } from '../../flags.ts';
import { matchRequest } from '../../lib/control/traffic/match.ts';
import { EXIT } from '../../lib/error.ts';
import { matchLines } from '../../lib/ui/traffic-change.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class FrontendMatch extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'none';
  static override summary = 'Show which frontend serves a request, why, and which others match';
  static override description = 'Exit code: 0 if a frontend serves it; 1 if none does.';
  static override examples = [
    '<%= config.bin %> frontend match http://demo-application.example.test/',
    '<%= config.bin %> frontend match --method POST --header X-Beta:1 http://api.example.test/v1/users',
  ];
  static override args = { url: Args.string({ description: 'http://HOST/PATH', required: true }) };
  static override flags = {
    method: Flags.string({ description: 'HTTP method', default: 'GET', env: 'CLUSTER_METHOD' }),
    header: list('header', 'request header, NAME:VALUE; may be repeated'),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendMatch);
    const match = await this.withSession(flags, (session) =>
      matchRequest(session, args.url, flags.method, flags.header ?? []),
    );
    if (flags.json) this.printJson(match);
    else this.print(matchLines(match));
    process.exitCode = match.frontend === null ? EXIT.failed : EXIT.ok;
  }
}
