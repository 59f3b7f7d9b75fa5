import { setMaxListeners } from 'node:events';
import type { JournalChoice, JournalEntry } from '../../machine/index.ts';
import type { Session } from '../session.ts';
import { followJournal } from './follow-journal.ts';
import { byMachine, type Located } from './locate.ts';

export interface JournalOptions extends JournalChoice {
  readonly follow: boolean;
  /** journalctl's output mode; of several units, and with `follow`, only whether it is `json` matters. */
  readonly output: string;
}

export interface JournalLine {
  readonly located: Located;
  readonly text: string;
  /** Microseconds since 1970, by the machine's clock. */
  readonly time: number;
  /** With output `json`: the entry as journalctl prints it. */
  readonly json?: string;
}

/** How long the last lines of one machine wait for those of another that is slower, in milliseconds. */
const BACKLOG_MS = 3000;
/** How long a followed line may wait for an older one from another machine, in milliseconds. */
const REORDER_MS = 300;

/** The journal of one unit, as journalctl prints it. @throws ClusterError `journal-failed`. */
export async function journalText(session: Session, item: Located, options: JournalOptions): Promise<string> {
  const { lines, output, since, priority } = options;
  const choice = { lines, output, since, priority };
  return await (await session.machine(item.machine)).journalText(item.unit, choice);
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
  const { follow, lines, since, priority, output } = options;
  // One listener for each machine is not a leak.
  setMaxListeners(0, signal);
  const machines = byMachine(located);
  const order = new TimeOrder(onLine);
  const unready = new Set(machines);
  const begun = performance.now();
  const isOrdered = (): boolean => unready.size === 0 || performance.now() - begun > BACKLOG_MS;
  const timer = follow ? setInterval(() => isOrdered() && order.flush(), REORDER_MS) : undefined;
  try {
    await Promise.all(
      machines.map(async (item) => {
        const { record, units } = item;
        const push = ({ unit, ...entry }: JournalEntry): void =>
          order.push({ located: { unit, machine: record }, ...entry });
        const query = { units, lines, since, priority, json: output === 'json' };
        const onReady = (): void => {
          if (unready.delete(item) && unready.size === 0) order.flush();
        };
        const following = { isOptional: machines.length > 1, onReady };
        if (follow) return await followJournal(session, record, query, push, following, signal);
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
