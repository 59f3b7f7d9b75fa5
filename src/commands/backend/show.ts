import { showBackend } from '../../lib/control/traffic/lists.ts';
import { backendCard } from '../../lib/ui/traffic.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class BackendShow extends TrafficCommand {
  static readonly changes = 'nothing';
  static readonly completes = 'backends';
  static override summary = 'Show a backend and its servers';
  static override examples = ['<%= config.bin %> backend show demo-application-v0.2.0'];
  static override args = idArgument('backend');
  static override flags = idFlag('backend');

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BackendShow);
    await this.look(flags, (session) => showBackend(session, oneId(flags.id, args.id)), backendCard);
  }
}
