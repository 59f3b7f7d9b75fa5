import { Readable } from 'node:stream';
import { ClusterError, type ErrorPlace } from '../../error.ts';
import type { CaughtUp, JournalChoice, JournalEntry, JournalQuery, MachineTarget } from '../port.ts';
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
export async function lastEntries(
  run: RunCommand,
  target: MachineTarget,
  query: JournalQuery,
): Promise<JournalEntry[]> {
  return (await readLast(run, target, query)).map(publicPart);
}

/** The last lines of each unit, then those that are written: three commands one after another, however many units. */
export function followEntries(
  run: RunCommand,
  target: MachineTarget,
  query: JournalQuery,
  signal: AbortSignal,
): AsyncIterable<JournalEntry | CaughtUp> {
  const stream = new Readable({ objectMode: true, read: () => undefined });
  const push = (entry: CursorEntry | CaughtUp): void =>
    void stream.push(entry === 'caught-up' ? entry : publicPart(entry));
  follow(run, target, query, signal, push).then(
    () => stream.push(null),
    (error: Error) => stream.destroy(error),
  );
  return stream as AsyncIterable<JournalEntry | CaughtUp>;
}

/** The journal of one unit as journalctl prints it. @throws ClusterError `journal-failed`. */
export async function journalText(
  run: RunCommand,
  target: MachineTarget,
  unit: string,
  { lines, output, ...choice }: JournalChoice & { readonly output: string },
): Promise<string> {
  const what = ['--unit', unit, '--lines', String(lines), '--output', output, ...choiceFlags(choice)];
  const { code, stdout, stderr } = await run(['journalctl', '--no-pager', ...what], { sudo: true });
  if (code === 0) return stdout;
  throw journalFailed(target, stderr, { unit });
}

function choiceFlags({ since, priority }: Omit<JournalChoice, 'lines'>): string[] {
  return [...(since ? [`--since=${since}`] : []), ...(priority ? [`--priority=${priority}`] : [])];
}

function journalFailed(target: MachineTarget, stderr: string, place: ErrorPlace = {}): ClusterError {
  const said = stderr.trim().split('\n')[0] ?? '';
  return new ClusterError('journal-failed', `journalctl: ${said}`, {
    ...place,
    machine: target.address,
    hint: 'check --since, --priority, --output and --lines; they are as journalctl takes them',
  });
}

interface CursorEntry extends JournalEntry {
  readonly cursor: string;
}

function publicPart({ unit, text, time, json }: CursorEntry): JournalEntry {
  return { unit, text, time, ...(json !== undefined && { json }) };
}

const JSON_LINES = ['journalctl', '--quiet', '--no-pager', '--output', 'json'] as const;

async function follow(
  run: RunCommand,
  target: MachineTarget,
  query: JournalQuery,
  signal: AbortSignal,
  onEntry: (entry: CursorEntry | CaughtUp) => void,
): Promise<void> {
  // From before the last lines are read, so that none is lost in between; what is read twice is told once.
  const newest = await run([...JSON_LINES, '--lines', '1'], { sudo: true, signal });
  const from = parseFields(newest.stdout.trim())?.__CURSOR;
  const after = typeof from === 'string' ? ['--after-cursor', from] : [];

  const known = new Set<string>();
  for (const entry of await readLast(run, target, query, signal)) {
    known.add(entry.cursor);
    onEntry(entry);
  }
  onEntry('caught-up');

  const wanted = new Set(query.units);
  const units = query.units.flatMap((unit) => ['--unit', unit]);
  const { priority, json = false } = query;
  await run([...JSON_LINES, '--follow', '--no-tail', ...choiceFlags({ priority }), ...after, ...units], {
    sudo: true,
    signal,
    onStdout: byLine((line) => {
      const entry = parseEntry(line, wanted, json);
      if (entry !== null && !known.has(entry.cursor)) onEntry(entry);
    }),
  });
}

async function readLast(
  run: RunCommand,
  target: MachineTarget,
  { units, lines, since = '', priority = '', json = false }: JournalQuery,
  signal?: AbortSignal,
): Promise<CursorEntry[]> {
  const answers = await Promise.all(
    batches(units).map(async (batch) => {
      const argv = systemdScript('last-lines', String(lines), since, priority, ...batch);
      const { code, stdout, stderr } = await run(argv, { sudo: true, ...(signal && { signal }) });
      if (code !== 0 && stderr.trim() !== '') throw journalFailed(target, stderr);
      return stdout.split('\0').flatMap((text, index) => entriesOf(text, batch[index] ?? '', json));
    }),
  );
  return answers.flat();
}

function entriesOf(text: string, unit: string, json: boolean): CursorEntry[] {
  return text.split('\n').flatMap((line) => {
    const fields = parseFields(line);
    return fields === null ? [] : { ...entryOf(fields, unit), ...(json && { json: line }) };
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
export function parseEntry(line: string, units: ReadonlySet<string>, json = false): CursorEntry | null {
  const fields = parseFields(line);
  if (fields === null) return null;
  const unit = UNIT_FIELDS.map((name) => textOf(fields[name])).find((name) => units.has(name));
  return unit === undefined ? null : { ...entryOf(fields, unit), ...(json && { json: line }) };
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
