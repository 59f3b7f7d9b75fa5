import { MiddlewareRm } from '../_middleware.ts';

export default class RatelimitRm extends MiddlewareRm {
  static override summary = 'Remove a rate limit from a frontend';
  static override examples = ['<%= config.bin %> ratelimit rm -f demo.example.test --id rl1'];

  run(): Promise<void> {
    return this.remove('ratelimit');
  }
}
