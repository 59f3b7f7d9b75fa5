import { MiddlewareRm } from '../_middleware.ts';

export default class TraceRm extends MiddlewareRm {
  static override summary = 'Remove a trace from a frontend';
  static override examples = ['<%= config.bin %> trace rm -f demo.example.test --id t1'];

  run(): Promise<void> {
    return this.remove('trace');
  }
}
