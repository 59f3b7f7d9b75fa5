import { removeFrontend } from '../../lib/control/traffic/frontend.ts';
import { gatewayWaitFlags, idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class FrontendRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'frontends';
  static override summary = 'Remove a frontend and its middlewares';
  static override examples = ['<%= config.bin %> frontend rm --id demo-application.example.test'];
  static override args = idArgument('frontend');
  static override flags = { ...idFlag('frontend'), ...gatewayWaitFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendRm);
    await this.change(
      flags,
      (session) => removeFrontend(session, oneId(flags.id, args.id)),
      'frontend deleted',
    );
  }
}
