import { camelKeys, text, toggle } from '../../flags.ts';
import { MiddlewareUpsert, middlewareFlags } from '../_middleware.ts';

export default class RewriteUpsert extends MiddlewareUpsert {
  static override summary = 'Rewrite or redirect the requests of a frontend';
  static override examples = [
    "<%= config.bin %> rewrite upsert -f demo.example.test --id rw1 --regexp '^http://(.*)' --replacement 'https://$1' --redirect",
  ];
  static override flags = {
    ...middlewareFlags,
    regexp: text('regexp', 'what to match in scheme://host/path?query'),
    replacement: text('replacement', 'what to put in its place; $1 is the first group'),
    'rewrite-body': toggle('rewrite-body', 'rewrite the body of the answer as well'),
    redirect: toggle('redirect', 'answer with a redirect (302)'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(RewriteUpsert);
    await this.upsert('rewrite', flags, camelKeys(flags));
  }
}
