import { Flags } from '@oclif/core';
import type { Session } from '../../lib/control/session.ts';
import type { FrontendChange } from '../../lib/control/traffic/frontend.ts';
import type { Served } from '../../lib/control/traffic/wait.ts';
import { changeJson, changeLines, servedLine } from '../../lib/ui/traffic-change.ts';
import { TrafficCommand } from '../_traffic.ts';

/** How commands that may switch a frontend go about it. */
export const switchFlags = {
  wait: Flags.boolean({
    description: 'return only when every gateway serves it (so anyway where gateways are registered)',
    env: 'CLUSTER_WAIT',
    allowNo: true,
  }),
  'wait-timeout': Flags.string({
    description: 'how long to wait for them',
    default: '10s',
    env: 'CLUSTER_WAIT_TIMEOUT',
  }),
  force: Flags.boolean({
    description: 'although the backend has no healthy server',
    default: false,
    env: 'CLUSTER_FORCE',
  }),
  'dry-run': Flags.boolean({
    description: 'show what would change, write nothing',
    default: false,
    env: 'CLUSTER_DRY_RUN',
  }),
};

type Work = (session: Session, written: (change: FrontendChange) => void) => Promise<Served | null>;

/** Prints what moved as soon as it stands in the registry, then who serves it. */
export abstract class SwitchCommand extends TrafficCommand {
  protected async switch(flags: Record<string, unknown>, work: Work): Promise<void> {
    let change: FrontendChange | undefined;
    const served = await this.withSession(flags, (session) =>
      work(session, (made) => {
        change = made;
        if (flags.json !== true) this.print(changeLines(made));
      }),
    );
    if (flags.json === true && change !== undefined) this.printJson(changeJson(change, served));
    else if (served !== null) this.print(servedLine(served));
  }
}
