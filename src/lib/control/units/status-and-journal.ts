import { setMaxListeners } from 'node:events';
import { ClusterError, ClusterErrors } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';
import { followUnits, type JournalEntry, readJournal } from './journal-follow.ts';
import { nameUnits, requireKnown } from './name-units.ts';

/** A unit on one of the machines that have it. */
export interface Located {
  readonly unit: string;
  readonly machine: MachineRecord;
}

/** Where units are; a global unit is on several machines. @throws for units that are on none. */
export async function locate(
  session: Session,
  args: readonly string[],
  machine?: string,
): Promise<Located[]> {
  const state = await session.state();
  const only = machine === undefined ? undefined : findMachine(state, machine).id;
  const { assignments } = decide(state);
  const located = new Set(
    assignments.filter((item) => only === undefined || item.machine === only).map(({ unit }) => unit),
  );
  const names = requireKnown(
    state,
    nameUnits(state, args, ({ name }) => located.has(name)),
  );
  const errors: ClusterError[] = [];
  const out: Located[] = [];
  for (const unit of names) {
    const on = assignments
      .filter((item) => item.unit === unit && (only === undefined || item.machine === only))
      .flatMap((item) => state.machines.get(item.machine) ?? [])
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (on.length === 0)
      errors.push(
        new ClusterError('not-loaded', `Unit ${unit} does not appear to be loaded.`, {
          unit,
          hint: `cluster start ${unit}`,
        }),
      );
    out.push(...on.map((record) => ({ unit, machine: record })));
  }
  if (errors.length > 0) throw new ClusterErrors(errors);
  return out;
}

/** `systemctl status` of each unit on each of its machines, in order. @returns text and exit code per unit. */
export async function statusOf(
  session: Session,
  located: readonly Located[],
): Promise<{ located: Located; code: number; text: string }[]> {
  return Promise.all(
    located.map(async (item) => {
      const connection = await session.machine(item.machine);
      const { code, stdout, stderr } = await connection.exec(
        ['systemctl', 'status', '--no-pager', '-l', item.unit],
        { sudo: true },
      );
      return { located: item, code, text: stdout + stderr };
    }),
  );
}

export interface JournalOptions {
  readonly lines: number;
  readonly follow: boolean;
  readonly output: string;
}

export interface JournalLine {
  readonly located: Located;
  readonly text: string;
  /** Microseconds since 1970, by the machine's clock. */
  readonly time: number;
}

/** The journal of one unit, as journalctl prints it. */
export async function journalText(session: Session, item: Located, options: JournalOptions): Promise<string> {
  const machine = await session.machine(item.machine);
  const argv = [
    'journalctl',
    '--unit',
    item.unit,
    '--no-pager',
    '-n',
    String(options.lines),
    '--output',
    options.output,
  ];
  const { code, stdout, stderr } = await machine.exec(argv, { sudo: true });
  if (code !== 0)
    throw new ClusterError('journal-failed', `journalctl: ${stderr.trim()}`, {
      unit: item.unit,
      machine: item.machine.target.address,
      hint: 'check --output and --lines',
    });
  return stdout;
}

/** How long a followed line may wait for an older one from another machine, in milliseconds. */
const REORDER_MS = 300;

/** Several units on several machines as one stream, ordered by time; ends when followed machines all end or on abort. */
export async function journalStream(
  session: Session,
  located: readonly Located[],
  options: JournalOptions,
  onLine: (line: JournalLine) => void,
  signal: AbortSignal,
): Promise<void> {
  // One listener for each unit is no leak.
  setMaxListeners(0, signal);
  const waiting: JournalLine[] = [];
  const flush = (): void => {
    waiting.sort((a, b) => a.time - b.time);
    for (const line of waiting.splice(0)) onLine(line);
  };
  const timer = options.follow ? setInterval(flush, REORDER_MS) : undefined;
  const push = (item: Located, { text, time }: JournalEntry): void => {
    waiting.push({ located: item, text, time });
  };
  try {
    if (options.follow) {
      const machines = new Map(located.map(({ machine }) => [machine.id, machine]));
      await Promise.all(
        [...machines.values()].map(async (record) => {
          const items = new Map(
            located.filter(({ machine }) => machine.id === record.id).map((item) => [item.unit, item]),
          );
          const tell = (unit: string, entry: JournalEntry): void => {
            const item = items.get(unit);
            if (item !== undefined) push(item, entry);
          };
          await followUnits(await session.machine(record), [...items.keys()], options.lines, tell, signal);
        }),
      );
    } else {
      await Promise.all(
        located.map(async (item) => {
          const words = ['--unit', item.unit, '--lines', String(options.lines)];
          await readJournal(await session.machine(item.machine), words, (entry) => push(item, entry), signal);
        }),
      );
    }
  } finally {
    clearInterval(timer);
    flush();
  }
}

/** The machine that `ssh ARG` means: a machine, or the machine of a unit. @throws when both or neither fit. */
export function sshTarget(
  state: RegistryState,
  wanted: string,
  kind: 'machine' | 'unit' | 'any',
): MachineRecord {
  const unit = kind === 'machine' ? null : unitMachine(state, wanted);
  let machine: MachineRecord | null = null;
  if (kind !== 'unit') {
    try {
      machine = findMachine(state, wanted);
    } catch (error) {
      if (kind === 'machine' || !(error instanceof ClusterError) || error.code === 'ambiguous-machine')
        throw error;
    }
  }
  if (unit !== null && machine !== null)
    throw new ClusterError(
      'ambiguous-argument',
      `Unable to proceed: ambiguous argument, both machine and unit found for \`${wanted}\``,
      { hint: 'say which: --machine or --unit' },
    );
  const found = unit ?? machine;
  if (found === null)
    throw new ClusterError('unknown-target', 'Unable to proceed: could not find matching unit or machine', {
      hint: 'cluster list-machines and cluster list-unit-files show what there is',
    });
  return found;
}

function unitMachine(state: RegistryState, wanted: string): MachineRecord | null {
  const name = [wanted, `${wanted}.service`].find((item) => state.units.has(item));
  if (name === undefined) return null;
  const { assignments } = decide(state);
  const ids = assignments
    .filter((item) => item.unit === name)
    .map((item) => item.machine)
    .sort();
  const record = state.machines.get(ids[0] ?? '');
  if (record === undefined)
    throw new ClusterError('not-loaded', `Unit ${name} does not appear to be running.`, {
      unit: name,
      hint: `cluster start ${name}`,
    });
  return record;
}
