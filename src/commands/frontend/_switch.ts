import { Flags } from '@oclif/core';
import type { Session } from '../../lib/control/session.ts';
import type { FrontendChange } from '../../lib/control/traffic/frontend.ts';
import type { Served } from '../../lib/control/traffic/wait.ts';
import { changeLines, servedLine, switchDocument } from '../../lib/ui/traffic-change.ts';
import { gatewayWaitFlags, TrafficCommand } from '../_traffic.ts';

/** Flags of the commands that may switch a frontend. */
export const switchFlags = {
  ...gatewayWaitFlags,
  force: Flags.boolean({
    description: 'switch even if the backend has no healthy server',
    default: false,
    env: 'CLUSTER_FORCE',
  }),
  'dry-run': Flags.boolean({
    description: 'show what would change without changing it',
    default: false,
    env: 'CLUSTER_DRY_RUN',
  }),
};

type Work = (session: Session, written: (change: FrontendChange) => void) => Promise<Served | null>;

/** Prints what changed as soon as it is stored, then which gateways serve it. */
export abstract class SwitchCommand extends TrafficCommand {
  protected async switch(flags: Record<string, unknown>, work: Work): Promise<void> {
    let change: FrontendChange | undefined;
    const served = await this.withSession(flags, (session) =>
      work(session, (made) => {
        change = made;
        if (flags.json !== true) this.print(changeLines(made));
      }),
    );
    if (flags.json === true && change !== undefined)
      this.printJson(switchDocument(change, served, this.notes));
    else if (served !== null) this.print(servedLine(served));
  }
}
