import { Readable } from 'node:stream';
import { ClusterError } from '../../error.ts';
import type { JournalEntry, JournalQuery, MachineTarget } from '../port.ts';
import { batches, type RunCommand } from './commands.ts';
import { systemdScript } from './scripts.ts';

/** How many lines are told of a unit that failed. */
const FAILURE_LINES = 10;

/** One run of a unit: its invocation id and its main process. */
export interface Invocation {
  readonly id: string;
  readonly pid: number;
}

/** The last lines of each run, oldest first, by one command for all. */
export async function failureJournals(run: RunCommand, runs: readonly Invocation[]): Promise<string[][]> {
  if (runs.length === 0) return [];
  const words = runs.map(({ id, pid }) => `${id}:${pid}`);
  const texts = await Promise.all(
    batches(words).map(async (batch) => {
      const argv = systemdScript('failures', String(FAILURE_LINES), ...batch);
      const { stdout } = await run(argv, { sudo: true });
      const parts = stdout.split('\0');
      return batch.map((_, index) => parts[index] ?? '');
    }),
  );
  return texts.flat().map((text) => text.split('\n').filter((line) => line !== ''));
}

/** The last lines of each unit, by one command for all. */
export async function lastEntries(run: RunCommand, query: JournalQuery): Promise<JournalEntry[]> {
  return (await readLast(run, query)).map(publicPart);
}

/** The last lines of each unit, then those that are written: three commands one after another, however many units. */
export function followEntries(
  run: RunCommand,
  query: JournalQuery,
  signal: AbortSignal,
): AsyncIterable<JournalEntry> {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  follow(run, query, signal, (entry) => stream.push(publicPart(entry))).then(
    () => stream.push(null),
    (error: Error) => stream.destroy(error),
  );
  return stream as AsyncIterable<JournalEntry>;
}

/** The journal of one unit as journalctl prints it. @throws ClusterError `journal-failed`. */
export async function journalText(
  run: RunCommand,
  target: MachineTarget,
  unit: string,
  { lines, output }: { readonly lines: number; readonly output: string },
): Promise<string> {
  const argv = ['journalctl', '--unit', unit, '--no-pager', '-n', String(lines), '--output', output];
  const { code, stdout, stderr } = await run(argv, { sudo: true });
  if (code === 0) return stdout;
  throw new ClusterError('journal-failed', `journalctl: ${stderr.trim()}`, {
    unit,
    machine: target.address,
    hint: 'check --output and --lines',
  });
}

interface CursorEntry extends JournalEntry {
  readonly cursor: string;
}

function publicPart({ unit, text, time }: CursorEntry): JournalEntry {
  return { unit, text, time };
}

const JSON_LINES = ['journalctl', '--quiet', '--no-pager', '--output', 'json'] as const;

async function follow(
  run: RunCommand,
  query: JournalQuery,
  signal: AbortSignal,
  onEntry: (entry: CursorEntry) => void,
): Promise<void> {
  // From before the last lines are read, so that none is lost in between; what is read twice is told once.
  const newest = await run([...JSON_LINES, '--lines', '1'], { sudo: true, signal });
  const from = parseFields(newest.stdout.trim())?.__CURSOR;
  const after = typeof from === 'string' ? ['--after-cursor', from] : [];

  const known = new Set<string>();
  for (const entry of await readLast(run, query, signal)) {
    known.add(entry.cursor);
    onEntry(entry);
  }

  const wanted = new Set(query.units);
  const units = query.units.flatMap((unit) => ['--unit', unit]);
  await run([...JSON_LINES, '--follow', '--no-tail', ...after, ...units], {
    sudo: true,
    signal,
    onStdout: byLine((line) => {
      const entry = parseEntry(line, wanted);
      if (entry !== null && !known.has(entry.cursor)) onEntry(entry);
    }),
  });
}

async function readLast(
  run: RunCommand,
  { units, lines }: JournalQuery,
  signal?: AbortSignal,
): Promise<CursorEntry[]> {
  const answers = await Promise.all(
    batches(units).map(async (batch) => {
      const argv = systemdScript('last-lines', String(lines), ...batch);
      const { stdout } = await run(argv, { sudo: true, ...(signal && { signal }) });
      return stdout.split('\0').flatMap((text, index) => entriesOf(text, batch[index] ?? ''));
    }),
  );
  return answers.flat();
}

function entriesOf(text: string, unit: string): CursorEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = parseFields(line);
    return fields === null ? [] : entryOf(fields, unit);
  });
}

/** Calls `onLine` for each whole line. */
function byLine(onLine: (line: string) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    const end = rest.lastIndexOf(0x0a) + 1;
    const lines = rest.toString('utf8', 0, end).split('\n');
    rest = rest.subarray(end);
    for (const line of lines) onLine(line);
  };
}

/** Where journalctl's --unit looks for a unit's name. */
const UNIT_FIELDS = ['_SYSTEMD_UNIT', 'UNIT', 'OBJECT_SYSTEMD_UNIT', 'COREDUMP_UNIT', '_SYSTEMD_SLICE'];

/** A field is text, bytes where it is not UTF-8, or null where it is too long to be shown. */
type Fields = Readonly<Record<string, string | readonly number[] | null | undefined>>;

/** Reads a line of `--output json`; null where it is none, or is of none of these units. */
export function parseEntry(line: string, units: ReadonlySet<string>): CursorEntry | null {
  const fields = parseFields(line);
  if (fields === null) return null;
  const unit = UNIT_FIELDS.map((name) => textOf(fields[name])).find((name) => units.has(name));
  return unit === undefined ? null : entryOf(fields, unit);
}

function parseFields(line: string): Fields | null {
  try {
    return JSON.parse(line) as Fields;
  } catch {
    return null;
  }
}

function entryOf(fields: Fields, unit: string): CursorEntry {
  return {
    unit,
    text: textOf(fields.MESSAGE),
    time: Number(fields.__REALTIME_TIMESTAMP ?? 0),
    cursor: textOf(fields.__CURSOR),
  };
}

function textOf(field: Fields[string]): string {
  if (typeof field === 'string') return field;
  return Array.isArray(field) ? Buffer.from(field).toString('utf8') : '';
}
