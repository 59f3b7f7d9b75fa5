import { MiddlewareRm } from '../_middleware.ts';

export default class ConnlimitRm extends MiddlewareRm {
  static override summary = 'Remove a connection limit from a frontend';
  static override examples = ['<%= config.bin %> connlimit rm -f demo.example.test --id cl1'];

  run(): Promise<void> {
    return this.remove('connlimit');
  }
}
