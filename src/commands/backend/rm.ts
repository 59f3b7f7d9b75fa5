import { removeBackend } from '../../lib/control/traffic/objects.ts';
import { idArgument, idFlag, oneId, TrafficCommand } from '../_traffic.ts';

export default class BackendRm extends TrafficCommand {
  static override summary = 'Remove a backend that no frontend uses, and its servers';
  static override examples = ['<%= config.bin %> backend rm --id demo-application-v0.1.0'];
  static override args = idArgument;
  static override flags = idFlag;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(BackendRm);
    await this.change(
      flags,
      (session) => removeBackend(session, oneId(flags.id, args.id)),
      'backend deleted',
    );
  }
}
