import { camelKeys } from '../../flags.ts';
import { rollback } from '../../lib/control/traffic/history.ts';
import { idArgument, idFlag, oneId } from '../_traffic.ts';
import { SwitchCommand, switchFlags } from './_switch.ts';

export default class FrontendRollback extends SwitchCommand {
  static readonly changes = 'registry';
  static readonly completes = 'frontends';
  static override summary = 'Point a frontend back at its previous backend';
  static override examples = [
    '<%= config.bin %> frontend rollback',
    '<%= config.bin %> frontend rollback demo-application.example.test --dry-run',
  ];
  static override args = idArgument('frontend');
  static override flags = { ...idFlag('frontend'), ...switchFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FrontendRollback);
    const given = camelKeys(flags);
    await this.switch(flags, (session, written) =>
      rollback(session, { ...given, id: oneId(flags.id, args.id), wait: flags.wait }, written),
    );
  }
}
