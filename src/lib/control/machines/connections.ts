import type { HeldConnection, HolderOptions } from '../../machine/index.ts';
import type { Session } from '../session.ts';

export type { HeldConnection } from '../../machine/index.ts';

/** Connections that are held for later commands, by address. */
export async function listConnections(session: Session): Promise<HeldConnection[]> {
  const { listHeld } = await import('../../machine/index.ts');
  const found = await listHeld(session.connectionsDir);
  return found.sort((a, b) => a.target.address.localeCompare(b.target.address, 'en', { numeric: true }));
}

/** Closes all of them. @returns how many there were. */
export async function closeConnections(session: Session): Promise<number> {
  const { closeHeld } = await import('../../machine/index.ts');
  return await closeHeld(session.connectionsDir);
}

/** The body of the hidden command that holds them. `options` is the JSON that was written to its stdin. */
export async function holdConnections(options: string): Promise<void> {
  const { runHolder } = await import('../../machine/held/holder.ts');
  await runHolder(JSON.parse(options) as HolderOptions);
}
