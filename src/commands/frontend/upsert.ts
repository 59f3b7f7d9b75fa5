import { upsertFrontend } from '../../lib/control/traffic/frontend.ts';
import { backendFlag, camelKeys, count, idFlag, text, toggle, ttlFlag } from '../_traffic.ts';
import { SwitchCommand, switchFlags } from './_switch.ts';

export default class FrontendUpsert extends SwitchCommand {
  static override summary = 'Make or change a frontend, or switch it to another version';
  static override description =
    'What is not said stays as it is. With -b alone, the frontend is the one that now points at another version of the same application; -b takes the id of a backend, or the version that ends the id of one.';
  static override examples = [
    '<%= config.bin %> frontend upsert -b v0.2.0',
    `<%= config.bin %> frontend upsert --id demo.example.test -b demo-v0.2.0 --route 'Host("demo.example.test") && PathRegexp(".*")'`,
  ];
  static override flags = {
    ...idFlag,
    ...backendFlag,
    route: text('route', 'which requests it serves, such as Host("a.example.test") && PathRegexp(".*")'),
    ...switchFlags,
    ...ttlFlag,
    'max-mem-body-kb': count('max-mem-body-kb', 'KiB of a body kept in memory', { min: 0 }),
    'max-body-kb': count('max-body-kb', 'KiB that a body may have; 0: any', { min: 0 }),
    'failover-predicate': text('failover-predicate', 'when to try another server'),
    'forward-host': text('forward-host', 'what servers see as X-Forwarded-Server'),
    'trust-forward-header': toggle('trust-forward-header', "keep the client's X-Forwarded headers"),
    'pass-host-header': toggle('pass-host-header', "send the client's Host header to the servers"),
    stream: toggle('stream', 'pass bodies on as they come'),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(FrontendUpsert);
    const said = camelKeys(flags);
    await this.switch(flags, (session, written) =>
      upsertFrontend(session, { ...said, wait: flags.wait, said }, written),
    );
  }
}
