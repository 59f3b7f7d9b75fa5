import { removeBackend } from '../../lib/control/traffic/objects.ts';
import { gatewayWaitFlags, idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class BackendRm extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'backends';
  static override summary = 'Remove a backend that no frontend uses, with its servers';
  static override examples = ['<%= config.bin %> backend rm --id demo-application-v0.1.0'];
  static override args = idArgument('backend');
  static override flags = { ...idFlag('backend'), ...gatewayWaitFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BackendRm);
    await this.change(
      flags,
      (session) => removeBackend(session, oneId(flags.id, args.id)),
      'backend deleted',
    );
  }
}
