import { Flags } from '@oclif/core';
import { camelKeys, seconds } from '../../flags.ts';
import { untilSignal } from '../_process.ts';
import { TrafficCommand } from '../_traffic.ts';

export default class Registrator extends TrafficCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = "Announce this machine's containers as servers, and remove unhealthy ones";
  static override description =
    'Runs until it is stopped, usually as the global unit registrator.service. Containers describe themselves with SERVICE_* variables or labels.';
  static override examples = ['<%= config.bin %> registrator', '<%= config.bin %> registrator --ip 10.0.0.5'];
  static override flags = {
    ip: Flags.string({ description: 'address of this machine in server URLs', env: 'CLUSTER_IP' }),
    internal: Flags.boolean({
      description: "announce the containers' own addresses and exposed ports",
      env: 'CLUSTER_INTERNAL',
    }),
    ttl: seconds('ttl', 'seconds after which the servers of a dead machine are removed', 11, 2),
    'ttl-refresh': seconds('ttl-refresh', 'seconds between renewals', 5, 1),
    resync: seconds(
      'resync',
      'seconds between full scans of all containers; 0: rely on events from Docker',
      0,
    ),
    deregister: Flags.string({
      description:
        'when to remove the server of a container that ended; on-success: after an error only when the ttl runs out',
      options: ['always', 'on-success'],
      default: 'always',
      env: 'CLUSTER_DEREGISTER',
    }),
    grace: seconds('grace', 'seconds to keep shared frontends and backends after their last instance', 60),
    explicit: Flags.boolean({
      description: 'announce only containers that have SERVICE_NAME',
      env: 'CLUSTER_EXPLICIT',
    }),
    tags: Flags.string({
      description: 'tags for every service, comma-separated',
      default: '',
      env: 'CLUSTER_TAGS',
    }),
    cleanup: Flags.boolean({
      description: 'always on; accepted for old command lines',
      hidden: true,
      env: 'CLUSTER_CLEANUP',
    }),
    docker: Flags.string({
      description: 'address that Docker listens on',
      default: 'unix:///var/run/docker.sock',
      env: 'CLUSTER_DOCKER',
    }),
    machine: Flags.string({
      description: 'machine-id to announce the containers for',
      hidden: true,
      env: 'CLUSTER_REGISTRATOR_MACHINE',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Registrator);
    const { registratorOptions, registratorReport, runRegistrator } = await import(
      '../../lib/discovery/index.ts'
    );
    const report = registratorReport(flags.json === true, (text) => this.print(text));
    await this.withSession(flags, async (session) => {
      const { prefix, trafficPrefix } = session.config;
      const kept = { store: await session.store(), prefix, trafficPrefix };
      const options = await registratorOptions(camelKeys(flags));
      await runRegistrator({ ...options, ...kept, report }, untilSignal());
    });
  }
}
