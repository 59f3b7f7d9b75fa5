import { history } from '../../lib/control/traffic/history.ts';
import { historyTable } from '../../lib/ui/traffic.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class FrontendHistory extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'frontends';
  static override summary = 'Show who switched a frontend, when, and between which backends';
  static override examples = ['<%= config.bin %> frontend history demo-application.example.test'];
  static override args = idArgument('frontend');
  static override flags = idFlag('frontend');

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendHistory);
    await this.look(flags, (session) => history(session, oneId(flags.id, args.id)), historyTable);
  }
}
