import { history } from '../../lib/control/traffic/history.ts';
import { historyTable } from '../../lib/ui/traffic.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class FrontendHistory extends TrafficCommand {
  static override summary = 'Show who switched a frontend, when, from where to where';
  static override examples = ['<%= config.bin %> frontend history demo-application.example.test'];
  static override args = idArgument;
  static override flags = idFlag;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendHistory);
    await this.look(flags, (session) => history(session, oneId(flags.id, args.id)), historyTable);
  }
}
