import { resolve } from 'node:path';
import { Flags } from '@oclif/core';
import { ClusterCommand } from '../../base.ts';
import { untilSignal } from '../_process.ts';
import { tuningFlags, tuningOf } from '../_proxy-tuning.ts';

export default class Gateway extends ClusterCommand {
  static readonly changes = 'registry';
  static readonly completes = 'none';
  static override summary = 'Serve the frontends on this machine with HAProxy, driven by the registry';
  static override description =
    'Runs until it is stopped, usually as the global unit gateway.service. HAProxy keeps running while this process restarts, so that no request is dropped.';
  static override examples = [
    '<%= config.bin %> gateway',
    '<%= config.bin %> gateway --listen :8080 --run-dir ~/gateway --state-dir ~/gateway/state',
  ];
  static override flags = {
    listen: Flags.string({
      description: 'address to listen on while the registry has no listener',
      default: ':80',
      env: 'CLUSTER_LISTEN',
    }),
    'run-dir': Flags.string({
      description: "directory of HAProxy's configuration and sockets",
      default: '/run/cluster-gateway',
      env: 'CLUSTER_RUN_DIR',
    }),
    'state-dir': Flags.string({
      description: 'directory of the last state served, for a start without the registry',
      default: '/var/lib/cluster/gateway',
      env: 'CLUSTER_STATE_DIR',
    }),
    admin: Flags.string({
      description: "address of the gateway's own interface: status, top, /metrics",
      default: '127.0.0.1:8182',
      env: 'CLUSTER_ADMIN',
    }),
    haproxy: Flags.string({ description: 'HAProxy executable', default: 'haproxy', env: 'CLUSTER_HAPROXY' }),
    'seal-key': Flags.string({
      description: 'key that opens the key pairs of hosts: 64 hex digits',
      env: 'CLUSTER_SEAL_KEY',
    }),
    'log-severity': Flags.string({
      description: 'how much to log until log set_severity changes it',
      options: ['debug', 'info', 'warning', 'error'],
      default: 'info',
      env: 'CLUSTER_LOG_SEVERITY',
    }),
    ...tuningFlags,
    machine: Flags.string({
      description: 'machine-id to announce this gateway with',
      hidden: true,
      env: 'CLUSTER_GATEWAY_MACHINE',
    }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Gateway);
    const { machineName, readSeverity, serve } = await import('../../lib/gateway/index.ts');
    const machine = flags.machine ?? (await machineName());
    await this.withSession(flags, async (session) => {
      const { prefix, trafficPrefix } = session.config;
      const options = {
        prefix,
        trafficPrefix,
        machine,
        version: this.config.version,
        listen: flags.listen,
        runDirectory: flags['run-dir'],
        stateDirectory: flags['state-dir'],
        admin: flags.admin,
        program: flags.haproxy,
        tuning: await tuningOf(flags, resolve(flags['run-dir'])),
        sealKey: flags['seal-key'] ?? null,
        severity: readSeverity(flags['log-severity']),
      };
      await serve(await session.store(), options, untilSignal());
    });
  }
}
