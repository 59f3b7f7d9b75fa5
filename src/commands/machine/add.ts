import { Args, Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { addMachines } from '../../lib/control/machines/add.ts';
import { readMetadata } from '../../lib/control/machines/metadata.ts';
import { ClusterError } from '../../lib/error.ts';

export default class MachineAdd extends ClusterCommand {
  static readonly changes = 'units';
  static readonly completes = 'none';
  static override summary =
    'Register machines or refresh what is known of them; global units that fit start there';
  static override strict = false;
  static override examples = [
    '<%= config.bin %> machine add root@10.0.0.5 --metadata role=web',
    '<%= config.bin %> machine add deploy@10.0.0.6:2222',
  ];
  static override args = { address: Args.string({ description: '[user@]address[:port]' }) };
  static override flags = {
    metadata: Flags.string({
      description: 'KEY=VALUE that MachineMetadata= can ask for; may be repeated',
      multiple: true,
      multipleNonGreedy: true,
      env: 'CLUSTER_METADATA',
    }),
    'share-host-key': Flags.boolean({
      description: 'keep the host key that you trust in the registry, for colleagues and CI',
      default: false,
      env: 'CLUSTER_SHARE_HOST_KEY',
    }),
    'take-over': Flags.boolean({
      description: 'also machines of another cluster, or that have seen a newer registry than this one',
      default: false,
      env: 'CLUSTER_TAKE_OVER',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(MachineAdd);
    if (argv.length === 0)
      throw new ClusterError('no-address', 'No address given', { hint: 'cluster machine add root@10.0.0.5' });
    const metadata = flags.metadata === undefined ? null : readMetadata(flags.metadata);
    const options = { metadata, shareHostKey: flags['share-host-key'], takeOver: flags['take-over'] };
    await this.withSession(flags, (session) => addMachines(session, argv as string[], options));
  }
}
