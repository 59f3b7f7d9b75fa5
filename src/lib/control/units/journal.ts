import { setMaxListeners } from 'node:events';
import type { JournalEntry } from '../../machine/index.ts';
import type { Session } from '../session.ts';
import { followJournal } from './follow-journal.ts';
import { byMachine, type Located } from './locate.ts';

export interface JournalOptions {
  /** The last lines of each unit. */
  readonly lines: number;
  readonly follow: boolean;
  /** journalctl's output mode, for the journal as text. */
  readonly output: string;
}

export interface JournalLine {
  readonly located: Located;
  readonly text: string;
  /** Microseconds since 1970, by the machine's clock. */
  readonly time: number;
}

/** How long a followed line may wait for an older one from another machine, in milliseconds. */
const REORDER_MS = 300;

/** The journal of one unit, as journalctl prints it. @throws ClusterError `journal-failed`. */
export async function journalText(session: Session, item: Located, options: JournalOptions): Promise<string> {
  const { lines, output } = options;
  return await (await session.machine(item.machine)).journalText(item.unit, { lines, output });
}

/**
 * Several units on several machines as one stream, ordered by time. With `follow` it ends when `signal` is aborted.
 * Machines that go away are told, and followed again when they are back.
 * @throws ClusterError of the first machine that fails, or, with `follow`, of the only one that was never reached.
 */
export async function journalStream(
  session: Session,
  located: readonly Located[],
  options: JournalOptions,
  onLine: (line: JournalLine) => void,
  signal: AbortSignal,
): Promise<void> {
  const { lines, follow } = options;
  // One listener for each machine is not a leak.
  setMaxListeners(0, signal);
  const order = new TimeOrder(onLine);
  const timer = follow ? setInterval(() => order.flush(), REORDER_MS) : undefined;
  try {
    const machines = byMachine(located);
    await Promise.all(
      machines.map(async ({ record, units }) => {
        const push = ({ unit, text, time }: JournalEntry): void =>
          order.push({ located: { unit, machine: record }, text, time });
        const query = { units, lines };
        if (follow) return await followJournal(session, record, query, push, machines.length > 1, signal);
        for (const entry of await (await session.machine(record)).journal(query)) push(entry);
      }),
    );
  } finally {
    clearInterval(timer);
    order.flush();
  }
}

/** Lines that wait for older ones. */
class TimeOrder {
  readonly #waiting: JournalLine[] = [];
  readonly #onLine: (line: JournalLine) => void;

  constructor(onLine: (line: JournalLine) => void) {
    this.#onLine = onLine;
  }

  push(line: JournalLine): void {
    this.#waiting.push(line);
  }

  flush(): void {
    this.#waiting.sort((a, b) => a.time - b.time);
    for (const line of this.#waiting.splice(0)) this.#onLine(line);
  }
}
