import { MiddlewareRm } from '../_middleware.ts';

export default class RewriteRm extends MiddlewareRm {
  static override summary = 'Remove a rewriting rule from a frontend';
  static override examples = ['<%= config.bin %> rewrite rm -f demo.example.test --id rw1'];

  run(): Promise<void> {
    return this.remove('rewrite');
  }
}
