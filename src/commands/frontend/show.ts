import { showFrontend } from '../../lib/control/traffic/lists.ts';
import { frontendCard } from '../../lib/ui/traffic.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class FrontendShow extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'frontends';
  static override summary = 'Show a frontend and its middlewares in the order they run';
  static override examples = ['<%= config.bin %> frontend show demo-application.example.test'];
  static override args = idArgument('frontend');
  static override flags = idFlag('frontend');

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendShow);
    await this.look(flags, (session) => showFrontend(session, oneId(flags.id, args.id)), frontendCard);
  }
}
