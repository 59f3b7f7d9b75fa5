import { ClusterError, EXIT } from '../../error.ts';
import { isNoAnswer, isOfMachines, type Rollout, type RolloutItem } from '../../rollout/index.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';
import type { Look, Looks } from './look.ts';
import type { Memory } from './memory.ts';

const JOURNAL_LINES = 10;

/** Says that a rollout came into its present state. */
export function reportState(session: Session, rollout: Rollout, ms: number): void {
  const { id, kind: change, state, items, reason } = rollout;
  const count = (wanted: RolloutItem['state']): number =>
    items.filter((item) => item.state === wanted).length;
  session.emit({
    kind: 'rollout',
    id,
    change,
    state,
    units: items.length,
    healthy: count('healthy'),
    failed: count('failed'),
    skipped: count('skipped'),
    ...(reason !== undefined && { reason }),
    seconds: ms / 1000,
  });
}

/**
 * Says which items came into another state; one that failed comes with the last lines of its journal.
 * @param lasted how long each was in the state before, in milliseconds.
 */
export async function reportItems(
  session: Session,
  before: Rollout,
  after: Rollout,
  looks: Looks,
  memory: Memory,
  lasted: readonly number[],
): Promise<void> {
  for (const [at, item] of after.items.entries()) {
    const was = before.items[at]!.state;
    if (item.state === was || item.state === 'waiting') continue;
    const { machine } = looks.items[at]!;
    const isFailed = item.state === 'failed';
    const journal = isFailed
      ? (memory.failure(at)?.journal ?? (await journalOf(session, item, looks.items[at]!)))
      : [];
    session.emit({
      kind: 'rollout-unit',
      id: after.id,
      change: after.kind,
      unit: item.unit,
      machine: machine === null ? null : nameOf(machine),
      state: item.state,
      batch: item.state === 'acting' ? after.batch : before.batch,
      ...(item.why !== undefined && { why: item.why }),
      ...(journal.length > 0 && { journal }),
      seconds: Math.max(0, lasted[at] ?? 0) / 1000,
    });
  }
}

async function journalOf(
  session: Session,
  { unit }: RolloutItem,
  { machine, health }: Look,
): Promise<readonly string[]> {
  if (unit === '' || machine === null || health.verdict === 'unknown') return [];
  try {
    const lines = await (await session.machine(machine)).journal({ units: [unit], lines: JOURNAL_LINES });
    return lines.map(({ text }) => text);
  } catch (error) {
    if (error instanceof ClusterError) return [];
    throw error;
  }
}

/** @throws what the end of a rollout means for the command that drove it; nothing where it ended as it should. */
export function requireGoodEnd(rollout: Rollout, wanted: 'forward' | 'back'): void {
  const { id, kind, state, back, reason = '' } = rollout;
  if (state === 'done' || state === 'paused') return;
  if (state === 'rolled-back' && wanted === 'back') return;
  if (state === 'rolled-back')
    throw new ClusterError('rollout-rolled-back', `rollout ${id} went back: ${reason}`, {
      hint: `cluster rollout show ${id}; mend the file and start it again`,
    });
  if (state === 'halted' && isOfMachines(kind))
    throw new ClusterError('rollout-halted', `rollout ${id} is halted: ${reason}`, {
      hint: `cluster rollout resume ${id} goes on once the machine is well; cluster lock ls shows which slot it keeps`,
    });
  if (state === 'halted')
    throw new ClusterError(
      'rollout-halted',
      `rollout ${id} is halted${back ? ' on its way back' : ''}: ${reason}`,
      {
        ...(isNoAnswer(reason) && { exit: EXIT.machine }),
        hint: back
          ? `cluster rollout resume ${id} tries again; everything else stays as it is`
          : rollout.kind !== 'file'
            ? `cluster rollout resume ${id} tries again, cluster rollout abort ${id} ends it; everything else stays as it is`
            : `cluster rollout rollback ${id} brings the former files back, cluster rollout resume ${id} tries again`,
      },
    );
  throw new ClusterError('rollout-ended', `rollout ${id} was ended: ${reason}`, {
    hint:
      kind === 'file'
        ? 'every unit stays as it is; cluster list-unit-files shows which file each has'
        : isOfMachines(kind)
          ? 'every machine stays as it is; cluster lock ls shows slots that are held'
          : 'every unit stays as it is',
  });
}

export function noSuchRollout(id: string | undefined): ClusterError {
  const what = id === undefined ? 'no rollout was begun yet' : `there is no rollout ${JSON.stringify(id)}`;
  return new ClusterError('no-such-rollout', `${what}; nothing was changed`, {
    hint: 'cluster rollout ls shows all that are known',
  });
}
