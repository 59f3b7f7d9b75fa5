/** One line of a hollow machine's journal, with the fields that `journalctl -o json` gives it. */
export interface JournalLine {
  readonly seq: number;
  readonly micros: number;
  readonly unit: string;
  readonly invocation: string;
  readonly identifier: string;
  readonly pid: number;
  readonly priority: number;
  readonly message: string;
  readonly extra: Readonly<Record<string, string>>;
}

const KEPT = 2_000;

/** The journal of one hollow machine: it keeps the last lines only and passes each new one to its followers. */
export class HollowJournal {
  readonly lines: JournalLine[] = [];
  #seq = 0;
  readonly #followers = new Set<(line: JournalLine) => void>();

  add(entry: Omit<JournalLine, 'seq' | 'micros' | 'extra' | 'priority'> & Partial<JournalLine>): void {
    const line: JournalLine = {
      priority: 6,
      extra: {},
      ...entry,
      seq: ++this.#seq,
      micros: Date.now() * 1000 + (this.#seq % 1000),
    };
    this.lines.push(line);
    if (this.lines.length > KEPT) this.lines.splice(0, KEPT / 10);
    for (const tell of this.#followers) tell(line);
  }

  /** Calls `tell` for each new line until the returned function is called. */
  follow(tell: (line: JournalLine) => void): () => void {
    this.#followers.add(tell);
    return () => this.#followers.delete(tell);
  }
}

/** The journal fields of a line, as `-o json` and FIELD=VALUE matches see them. */
export function journalFields(
  line: JournalLine,
  machine: { id: string; hostname: string; bootId: string },
): Record<string, string> {
  const own: Record<string, string> =
    line.identifier === 'systemd'
      ? { UNIT: line.unit, INVOCATION_ID: line.invocation, _SYSTEMD_UNIT: 'init.scope' }
      : { _SYSTEMD_UNIT: line.unit, _SYSTEMD_INVOCATION_ID: line.invocation };
  return {
    __CURSOR: `s=hollow;i=${line.seq.toString(16)};b=${machine.bootId}`,
    __REALTIME_TIMESTAMP: String(line.micros),
    __MONOTONIC_TIMESTAMP: String(line.seq * 1000),
    _BOOT_ID: machine.bootId,
    _MACHINE_ID: machine.id,
    _HOSTNAME: machine.hostname,
    SYSLOG_IDENTIFIER: line.identifier,
    PRIORITY: String(line.priority),
    _PID: String(line.pid),
    ...own,
    ...line.extra,
    MESSAGE: line.message,
  };
}
