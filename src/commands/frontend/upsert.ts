import { camelKeys, count, text, toggle } from '../../flags.ts';
import { upsertFrontend } from '../../lib/control/traffic/frontend.ts';
import { backendFlag, idFlag, ttlFlag } from '../_traffic.ts';
import { SwitchCommand, switchFlags } from './_switch.ts';

export default class FrontendUpsert extends SwitchCommand {
  static readonly changes = 'registry';
  static readonly completes = 'frontends';
  static override summary = 'Create or change a frontend, or switch it to another version';
  static override description =
    'Settings that are not given stay as they are. With -b alone, the frontend that serves another version of the same application is switched. -b takes the id of a backend, or the version at the end of one.';
  static override examples = [
    '<%= config.bin %> frontend upsert -b v0.2.0',
    `<%= config.bin %> frontend upsert --id demo.example.test -b demo-v0.2.0 --route 'Host("demo.example.test") && PathRegexp(".*")'`,
  ];
  static override flags = {
    ...idFlag('frontend'),
    ...backendFlag,
    route: text('route', 'which requests it serves, such as Host("a.example.test") && PathRegexp(".*")'),
    ...switchFlags,
    'wait-backend': text(
      'wait-backend',
      'how long to wait for a backend that has no server yet: 30s while its containers are being checked, 0: not at all',
    ),
    ...ttlFlag,
    'max-mem-body-kb': count('max-mem-body-kb', 'KiB of a request body to keep in memory', { min: 0 }),
    'max-body-kb': count('max-body-kb', 'largest request body in KiB; 0: no limit', { min: 0 }),
    'failover-predicate': text('failover-predicate', 'when to try another server'),
    'forward-host': text('forward-host', 'value of the X-Forwarded-Server header for servers'),
    'trust-forward-header': toggle('trust-forward-header', "keep the client's X-Forwarded headers"),
    'pass-host-header': toggle('pass-host-header', "send the client's Host header to the servers"),
    stream: toggle('stream', 'pass bodies on as they arrive'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(FrontendUpsert);
    const given = camelKeys(flags);
    await this.switch(flags, (session, written) =>
      upsertFrontend(session, { ...given, wait: flags.wait, said: given }, written),
    );
  }
}
