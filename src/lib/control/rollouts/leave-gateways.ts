import { decide } from '../../plan/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import type { Session } from '../session.ts';
import { leave, readServers, serversOf, stay } from './servers.ts';

/** As long as that its servers stay out of the gateways, if nobody says before that the machine is back. */
const LEASE_SECONDS = 120;
/** How long requests that are under way may take to end. */
const REQUESTS_MS = 10_000;

/**
 * What is on a machine leaves it before it is rebooted: its servers leave the gateways and their requests end; the units
 * themselves are stopped by the reboot, in systemd's order.
 * @returns to be called when the machine is back.
 */
export async function leaveGateways(session: Session, record: MachineRecord): Promise<() => Promise<void>> {
  const servers = await readServers(session);
  if (servers === null) return async () => undefined;
  const state = await (await session.registry()).load();
  const units = decide(state).assignments.filter(
    ({ machine, desired }) => machine === record.id && desired === 'launched',
  );
  const here = units.flatMap(({ unit }) => serversOf(servers, state, unit, record));
  if (here.length === 0) return async () => undefined;
  const lease = await (await session.store()).lease(LEASE_SECONDS);
  await leave(session, here, { lease: lease.id, drainMs: REQUESTS_MS });
  return async () => {
    await stay(session, here);
    await lease.revoke();
  };
}
