import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { copyRegistry } from '../../lib/control/registry-copy.ts';

export default class RegistryCopy extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary =
    'Copy the registry to an etcd that has none yet, for example from the embedded store';
  static override description =
    'The old registry is marked as moved: commands say where it went and change nothing there. From then on, give every command the etcd: --endpoint, CLUSTER_ENDPOINT or cluster.yaml. To go back to the old one: registry reopen.';
  static override examples = [
    '<%= config.bin %> registry copy --to http://10.0.0.5:2379,http://10.0.0.6:2379',
  ];
  static override flags = {
    to: Flags.string({
      description: 'endpoints of the etcd to copy to, comma-separated',
      required: true,
      env: 'CLUSTER_COPY_TO',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(RegistryCopy);
    const endpoints = flags.to.split(',').flatMap((item) => item.trim() || []);
    const { copied, leased } = await this.withSession(flags, (session) => copyRegistry(session, endpoints));
    if (flags.json) return this.printJson({ copied, leased });
    const left = leased === 0 ? '' : `; ${leased} on leases left out`;
    this.print(`${copied} keys copied to ${endpoints.join(', ')}${left}\n`);
  }
}
