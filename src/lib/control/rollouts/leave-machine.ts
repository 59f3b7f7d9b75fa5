import type { MachineRecord } from '../../registry/index.ts';
import type { Rollout } from '../../rollout/index.ts';
import type { Session } from '../session.ts';

/** How the units of a machine leave before it is rebooted. Now: systemd stops them in its order, as at any reboot. */
export async function leaveMachine(
  _session: Session,
  _record: MachineRecord,
  _rollout: Rollout,
): Promise<void> {}
