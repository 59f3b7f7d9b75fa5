import type { Session } from '../session.ts';

export interface MachineRow {
  readonly id: string;
  readonly address: string;
  readonly hostname: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Registered machines, sorted by id. */
export async function listMachines(session: Session): Promise<MachineRow[]> {
  const { machines } = await session.state();
  return [...machines.values()]
    .map(({ id, target, facts, metadata }) => ({
      id,
      address: target.address,
      hostname: facts.hostname,
      metadata,
    }))
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}
