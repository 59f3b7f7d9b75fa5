import { MiddlewareRm } from '../_middleware.ts';

export default class CbreakerRm extends MiddlewareRm {
  static override summary = 'Remove a circuit breaker from a frontend';
  static override examples = ['<%= config.bin %> cbreaker rm -f demo.example.test --id cb1'];

  run(): Promise<void> {
    return this.remove('cbreaker');
  }
}
