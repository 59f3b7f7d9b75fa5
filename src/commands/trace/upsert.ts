import { camelKeys, list, text } from '../../flags.ts';
import { MiddlewareUpsert, middlewareFlags } from '../_middleware.ts';

export default class TraceUpsert extends MiddlewareUpsert {
  static override summary = 'Log each request of a frontend to syslog';
  static override examples = [
    '<%= config.bin %> trace upsert -f demo.example.test --id t1 --addr syslog://127.0.0.1:514 --req-header X-Request-Id',
  ];
  static override flags = {
    ...middlewareFlags,
    addr: text('addr', 'syslog://HOST:PORT?f=FACILITY&sev=SEVERITY, or syslog:///SOCKET'),
    'req-header': list('req-header', 'request header to include; may be repeated'),
    'resp-header': list('resp-header', 'response header to include; may be repeated'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(TraceUpsert);
    await this.upsert('trace', flags, camelKeys(flags));
  }
}
