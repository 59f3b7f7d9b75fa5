import type { Machine } from '../../machine/index.ts';

/** One entry of a machine's journal. */
export interface JournalEntry {
  readonly text: string;
  /** Microseconds since 1970, by the machine's clock. */
  readonly time: number;
  readonly cursor: string;
  /** The units that it is of, by journalctl's rules for --unit. */
  readonly units: readonly string[];
}

/** Reads entries as journalctl gives them for these arguments; with --follow it ends only by `signal`. */
export async function readJournal(
  machine: Machine,
  words: readonly string[],
  onEntry: (entry: JournalEntry) => void,
  signal?: AbortSignal,
): Promise<void> {
  let rest = Buffer.alloc(0);
  await machine.exec(['journalctl', '--quiet', '--no-pager', '--output', 'json', ...words], {
    sudo: true,
    ...(signal && { signal }),
    onStdout: (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      const end = rest.lastIndexOf(0x0a) + 1;
      const lines = rest.toString('utf8', 0, end).split('\n');
      rest = rest.subarray(end);
      for (const line of lines) {
        const entry = readEntry(line);
        if (entry !== null) onEntry(entry);
      }
    },
  });
}

/**
 * The last lines of each unit and what comes, by one journalctl for all units of the machine: one for each would soon
 * use up the sessions of its connection. What came in between is told once.
 */
export async function followUnits(
  machine: Machine,
  units: readonly string[],
  lines: number,
  onEntry: (unit: string, entry: JournalEntry) => void,
  signal: AbortSignal,
): Promise<void> {
  const from: string[] = [];
  await readJournal(
    machine,
    ['--lines', '1'],
    ({ cursor }) => from.splice(0, 1, '--after-cursor', cursor),
    signal,
  );
  const told = new Set<string>();
  const last = units.map((unit) =>
    readJournal(
      machine,
      ['--unit', unit, '--lines', String(lines)],
      (entry) => {
        told.add(entry.cursor);
        onEntry(unit, entry);
      },
      signal,
    ),
  );
  await Promise.all(last);
  const wanted = new Set(units);
  await readJournal(
    machine,
    ['--follow', '--no-tail', ...from, ...units.flatMap((unit) => ['--unit', unit])],
    (entry) => {
      const unit = entry.units.find((name) => wanted.has(name));
      if (unit !== undefined && !told.has(entry.cursor)) onEntry(unit, entry);
    },
    signal,
  );
}

const UNIT_FIELDS = ['_SYSTEMD_UNIT', 'UNIT', 'OBJECT_SYSTEMD_UNIT', 'COREDUMP_UNIT', '_SYSTEMD_SLICE'];

/** A field is text, bytes where it is no UTF-8, or null where it is too long to be shown. */
type Fields = Readonly<Record<string, string | readonly number[] | null | undefined>>;

function readEntry(line: string): JournalEntry | null {
  try {
    const fields = JSON.parse(line) as Fields;
    return {
      text: textOf(fields.MESSAGE),
      time: Number(fields.__REALTIME_TIMESTAMP ?? 0),
      cursor: textOf(fields.__CURSOR),
      units: UNIT_FIELDS.map((name) => textOf(fields[name])),
    };
  } catch {
    return null;
  }
}

function textOf(field: Fields[string]): string {
  if (typeof field === 'string') return field;
  return Array.isArray(field) ? Buffer.from(field).toString('utf8') : '';
}
