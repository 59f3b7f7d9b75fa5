import { ClusterError } from '../../error.ts';
import { type Machine, readInstalled } from '../../machine/index.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { within } from '../../within.ts';
import { nameMachine } from '../away.ts';
import type { Session } from '../session.ts';

export interface MachineRow {
  readonly id: string;
  readonly address: string;
  readonly hostname: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Who keeps new units away, by owner; empty = nobody. */
  readonly cordons: NonNullable<MachineRecord['cordons']>;
  /** How many units are assigned to it. */
  readonly units: number;
  /** Whether it answers; absent = it was not asked. */
  readonly state?: 'up' | 'away';
  /** Why it does not answer. */
  readonly error?: string;
  /** Our release there, such as `1.2.0 (3f9c1ab)`; null = none is installed, or the login may not look. */
  readonly release?: string | null;
}

/** systemd must answer too; that a login may not read the release is no reason to call its machine away. */
async function releaseOf(machine: Machine): Promise<string | null> {
  const [current] = await Promise.all([
    readInstalled(machine).then(
      (installed) => installed.current,
      (error: unknown) => {
        if (error instanceof ClusterError) return null;
        throw error;
      },
    ),
    machine.statuses(['cluster.target']),
  ]);
  return current === null ? null : `${current.version} (${current.hash.slice(0, 7)})`;
}

const LATE = Symbol('late');

/** How long a machine may take to answer before it is listed as away, in milliseconds. */
const ANSWER_MS = 5000;

/** Registered machines, sorted by id. With `ask` each is asked, side by side, whether it answers and what it has. */
export async function listMachines(session: Session, ask: boolean): Promise<MachineRow[]> {
  const state = await session.state();
  const counts = new Map<string, number>();
  for (const { machine } of decide(state).assignments) counts.set(machine, (counts.get(machine) ?? 0) + 1);
  const records = [...state.machines.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return Promise.all(
    records.map(async (record) => ({
      id: record.id,
      address: record.target.address,
      hostname: record.facts.hostname,
      metadata: record.metadata,
      cordons: record.cordons ?? {},
      units: counts.get(record.id) ?? 0,
      ...(ask && (await answerOf(session, record))),
    })),
  );
}

async function answerOf(
  session: Session,
  record: MachineRecord,
): Promise<Pick<MachineRow, 'state' | 'error' | 'release'>> {
  try {
    const release = await within(ANSWER_MS, releaseOf(await session.machine(record)), LATE);
    return release === LATE
      ? { state: 'away', error: `no answer within ${ANSWER_MS / 1000} s` }
      : { state: 'up', release };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { state: 'away', error: nameMachine(record, error).message };
  }
}
