import { Flags } from '@oclif/core';
import { untilSignal } from './_process.ts';
import { camelKeys, seconds, TrafficCommand } from './_traffic.ts';

export default class Registrator extends TrafficCommand {
  static override summary = "Announce this machine's containers as servers, and take sick ones out";
  static override description =
    'Runs until it is told to end; usually the global unit registrator.service does that. Containers say what they are by SERVICE_* variables or labels.';
  static override examples = ['<%= config.bin %> registrator', '<%= config.bin %> registrator --ip 10.0.0.5'];
  static override flags = {
    ip: Flags.string({ description: 'address of this machine in servers', env: 'CLUSTER_IP' }),
    internal: Flags.boolean({
      description: "the containers' own addresses and exposed ports",
      env: 'CLUSTER_INTERNAL',
    }),
    ttl: seconds('ttl', 'seconds after which servers of a dead machine go', 11, 2),
    'ttl-refresh': seconds('ttl-refresh', 'seconds between renewals', 5, 1),
    resync: seconds(
      'resync',
      'look at all containers again after so many seconds (0: only when Docker tells of something)',
      0,
    ),
    deregister: Flags.string({
      description: 'on-success: what ended by itself with an error stays for the ttl',
      options: ['always', 'on-success'],
      default: 'always',
      env: 'CLUSTER_DEREGISTER',
    }),
    grace: seconds('grace', 'seconds that shared frontends and backends outlive the last instance', 60),
    explicit: Flags.boolean({
      description: 'only containers that say SERVICE_NAME',
      env: 'CLUSTER_EXPLICIT',
    }),
    tags: Flags.string({
      description: 'comma-separated, for every service',
      default: '',
      env: 'CLUSTER_TAGS',
    }),
    cleanup: Flags.boolean({
      description: 'always on; accepted for old command lines',
      hidden: true,
      env: 'CLUSTER_CLEANUP',
    }),
    docker: Flags.string({
      description: 'where Docker listens',
      default: 'unix:///var/run/docker.sock',
      env: 'CLUSTER_DOCKER',
    }),
    machine: Flags.string({
      description: 'machine-id that the containers are announced for',
      hidden: true,
      env: 'CLUSTER_REGISTRATOR_MACHINE',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Registrator);
    const { registratorOptions, registratorReport, runRegistrator } = await import(
      '../lib/discovery/index.ts'
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
