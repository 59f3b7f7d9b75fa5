import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError, EXIT } from '../../error.ts';
import { armUndo, connectMachine, disarmUndo, type Machine } from '../../machine/index.ts';
import type { MachineRecord } from '../../registry/index.ts';
import { durationMs } from '../../traffic/index.ts';
import type { Session } from '../session.ts';

/** What a change is undone by, unless somebody can log in after it. */
export interface Undo {
  /** For the machine's shell, run as root. */
  readonly text: string;
  readonly afterMs: number;
}

type Streams = Parameters<Machine['interactive']>[1];

const SHORTEST_MS = 5_000;
const LONGEST_MS = 24 * 3_600_000;
const AGAIN_MS = 500;
/** How long a machine may take to be reachable again once the undo has begun. */
const BACK_MS = 60_000;

/** What the flags mean; null = nothing is to be undone. @throws `bad-undo`, `bad-duration`. */
export function undoOf(after: string | undefined, text: string | undefined): Undo | null {
  if (after === undefined && text === undefined) return null;
  if (after === undefined || text === undefined || text.trim() === '')
    throw badUndo('--confirm-or-undo and --undo belong together: how long to wait, and what to run then');
  const afterMs = durationMs('--confirm-or-undo', after.replace(/min$/, 'm'));
  if (afterMs < SHORTEST_MS || afterMs > LONGEST_MS)
    throw badUndo(`--confirm-or-undo ${after} is not between 5s and 24h`);
  return { text, afterMs };
}

function badUndo(message: string): ClusterError {
  return new ClusterError('bad-undo', `${message}; nothing was changed`, {
    hint: "cluster machine exec MACHINE --confirm-or-undo 2m --undo 'CMD' -- CMD",
    exit: EXIT.usage,
  });
}

/**
 * Runs a command on a machine. With `undo` a timer there runs it, unless a login that is made after the command succeeds
 * before: a change that cuts the operator off undoes itself.
 * @returns the command's exit code.
 * @throws `change-undone` when nobody could log in.
 */
export async function execOn(
  session: Session,
  record: MachineRecord,
  command: string,
  undo: Undo | null,
  streams: Streams,
): Promise<number> {
  const machine = await session.machine(record);
  if (undo === null) return await machine.interactive(command, streams);
  const name = `cluster-undo-${randomBytes(4).toString('hex')}`;
  await armUndo(machine, name, Math.ceil(undo.afterMs / 1000), `${undo.text}\n`);
  const until = performance.now() + undo.afterMs;
  const code = await untilCutOff(machine.interactive(command, streams), undo.afterMs);
  if (await disarm(session, record, name, until)) return code ?? 0;
  const isBack = await disarm(session, record, name, until + BACK_MS, true);
  const { address } = record.target;
  throw new ClusterError(
    'change-undone',
    `nobody could log in to ${address} after the command: ${isBack ? 'it was undone there' : 'the undo was due, and the machine does not answer'}`,
    {
      machine: address,
      hint: isBack
        ? `cluster ssh ${record.id.slice(0, 8)} journalctl -u ${name}.service shows what the undo said`
        : 'see its console',
    },
  );
}

/** The exit code; null where the connection ended first, or says nothing any more. */
async function untilCutOff(running: Promise<number>, mostMs: number): Promise<number | null> {
  const over = new AbortController();
  const late = sleep(mostMs, null, { signal: over.signal }).catch(() => null);
  const code = running.catch((error: unknown) => {
    if (error instanceof ClusterError && error.exit === EXIT.machine) return null;
    throw error;
  });
  try {
    return await Promise.race([code, late]);
  } finally {
    over.abort();
  }
}

/**
 * Logs in anew until that works or the time is over: an open connection may outlive what keeps new ones away.
 * @returns whether the timer was disarmed; with `late` whether a login worked at all.
 */
async function disarm(
  session: Session,
  { target }: MachineRecord,
  name: string,
  until: number,
  late = false,
): Promise<boolean> {
  while (performance.now() < until) {
    const most = Math.max(1_000, until - performance.now());
    try {
      const machine = await connectMachine(target, session.ssh(), Math.min(most, session.ssh().timeoutMs));
      try {
        return (await disarmUndo(machine, name)) || late;
      } finally {
        machine.close();
      }
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      await sleep(AGAIN_MS);
    }
  }
  return false;
}
