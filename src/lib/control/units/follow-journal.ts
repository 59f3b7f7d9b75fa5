import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import type { JournalEntry, JournalQuery } from '../../machine/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';

/** How many lines of each unit are looked through for those that were written while a machine was away. */
const CATCH_UP = 1000;
/** Pauses between two tries to reach a machine that is away. */
const RETRY_MS = [500, 1000, 2000] as const;

export interface FollowOptions {
  /** The machine may be away from the start, since others are followed too. */
  readonly isOptional: boolean;
  /** Called once: the last lines have been told, or the machine is away. */
  readonly onReady: () => void;
}

/**
 * Follows the journal of units on one machine until `signal` is aborted. A machine that goes away is told, tried again
 * and told when it is back; what its units wrote meanwhile comes first then.
 * @throws ClusterError where the machine was never reached and is not optional, or for other reasons than its absence.
 */
export async function followJournal(
  session: Session,
  record: MachineRecord,
  query: JournalQuery,
  onEntry: (entry: JournalEntry) => void,
  { isOptional, onReady }: FollowOptions,
  signal: AbortSignal,
): Promise<void> {
  const newest = new Newest();
  const machine = nameOf(record);
  let awaySince: number | null = null;
  let tries = 0;
  let reached = false;
  const back = (): void => {
    reached = true;
    tries = 0;
    if (awaySince === null) return;
    const seconds = Math.round((performance.now() - awaySince) / 1000);
    session.emit({ kind: 'back', machine, seconds });
    awaySince = null;
  };

  while (!signal.aborted) {
    try {
      const connected = await (tries === 0 && !reached
        ? session.machine(record)
        : session.machineAgain(record));
      // A unit may write nothing for hours, so that another answer shows that the machine is there.
      await connected.facts();
      const lines = reached && !newest.isEmpty ? CATCH_UP : query.lines;
      back();
      newest.readAgain();
      for await (const entry of connected.followJournal({ ...query, lines }, signal))
        if (entry === 'caught-up') onReady();
        else if (newest.isNew(entry)) onEntry(entry);
      if (!signal.aborted) throw awayError(record);
    } catch (error) {
      if (signal.aborted) return;
      onReady();
      const isAway = error instanceof ClusterError && error.code === 'machine-unreachable';
      if (!isAway || (!reached && !isOptional)) throw error;
      if (awaySince === null) {
        awaySince = performance.now();
        session.emit({ kind: 'away', machine, message: error.message });
      }
      const pause = RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)];
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

function awayError(record: MachineRecord): ClusterError {
  return new ClusterError('machine-unreachable', 'its journal ended', { machine: record.target.address });
}

/** The newest line of each unit, so that lines that are read again are told once. */
class Newest {
  readonly #times = new Map<string, number>();
  /** What was known when the journal began to be read again, for units of which nothing newer came since. */
  #before = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#times.size === 0;
  }

  readAgain(): void {
    this.#before = new Map(this.#times);
  }

  isNew({ unit, time }: JournalEntry): boolean {
    const limit = this.#before.get(unit);
    if (limit !== undefined && time <= limit) return false;
    this.#before.delete(unit);
    this.#times.set(unit, time);
    return true;
  }
}
