import { ClusterError, EXIT } from '../../error.ts';
import type { DriverRecord, RolloutEntry } from '../../registry/index.ts';
import { abort, isLive, pause, type Rollout, resume, rollback } from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import { requireFree } from './begin.ts';
import { type DriveOptions, drive, untilUndriven } from './drive.ts';
import { noSuchRollout, reportState, requireGoodEnd } from './report.ts';

/** A rollout as lists show it. */
export interface RolloutRow {
  readonly rollout: Rollout;
  /** Who drives it now; null = nobody. */
  readonly driver: DriverRecord | null;
}

/** All rollouts that are known, newest first. */
export async function listRollouts(session: Session): Promise<readonly RolloutRow[]> {
  const { rollouts, drivers, problems } = await (await session.rollouts()).load();
  for (const { key, message } of problems) session.emit({ kind: 'problem', key, message });
  return rollouts.map(({ rollout }) => ({ rollout, driver: drivers.get(rollout.id) ?? null }));
}

/** One rollout; without an id the newest. @throws `no-such-rollout`. */
export async function showRollout(session: Session, id?: string): Promise<RolloutRow> {
  const rows = await listRollouts(session);
  const row = id === undefined ? rows[0] : rows.find(({ rollout }) => rollout.id === id);
  if (row === undefined) throw noSuchRollout(id);
  return row;
}

/** Pauses a rollout: its driver begins no further batch. */
export const pauseRollout = (session: Session, id?: string): Promise<Rollout> => turn(session, id, pause);

/** Ends a rollout; every unit stays as it is. */
export const abortRollout = (session: Session, id?: string): Promise<Rollout> =>
  turn(session, id, (one) => abort(one));

/** Goes on with a rollout that is paused, halted, or whose driver is gone. */
export async function resumeRollout(
  session: Session,
  id: string | undefined,
  options: DriveOptions,
): Promise<void> {
  const { rollout, driver } = await showRollout(session, id);
  const isWaiting = rollout.state === 'paused' || rollout.state === 'halted' || !isLive(rollout);
  const resumed = isWaiting ? await turn(session, rollout.id, resume) : rollout;
  // A driver that still watches what was under way when it was paused goes on by itself.
  if (isWaiting && driver !== null && (await (await session.rollouts()).driver(rollout.id)) !== null) return;
  await untilUndriven(session, rollout.id);
  requireGoodEnd(await drive(session, rollout.id, options), resumed.back ? 'back' : 'forward');
}

/** Brings the former files back, in the batches of the rollout. */
export async function rollbackRollout(
  session: Session,
  id: string | undefined,
  options: DriveOptions,
): Promise<void> {
  const { rollout } = await showRollout(session, id);
  await turn(session, rollout.id, rollback);
  await untilUndriven(session, rollout.id).catch((error: unknown) => {
    // Its driver lives, and turns around with it.
    if (!(error instanceof ClusterError) || error.code !== 'rollout-driven') throw error;
  });
  const now = await showRollout(session, rollout.id);
  if (now.driver !== null || !isLive(now.rollout)) return requireGoodEnd(now.rollout, 'back');
  requireGoodEnd(await drive(session, rollout.id, options), 'back');
}

const ATTEMPTS = 20;

/** Records what an operator wants of a rollout. Where that makes it hold its units again, nobody else may hold them. */
async function turn(
  session: Session,
  id: string | undefined,
  how: (rollout: Rollout) => Rollout,
): Promise<Rollout> {
  const registry = await session.rollouts();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await registry.load();
    const entry: RolloutEntry | undefined =
      id === undefined ? state.rollouts[0] : state.rollouts.find(({ rollout }) => rollout.id === id);
    if (entry === undefined) throw noSuchRollout(id);
    const turned = how(entry.rollout);
    const takes = isLive(turned) && !isLive(entry.rollout);
    if (takes) requireFree(turned, state.rollouts);
    const written = await registry.change(entry, turned, takes ? { begun: state.begun } : {});
    if (written === null) continue;
    reportState(session, written.rollout, 0);
    return written.rollout;
  }
  throw new ClusterError('changed-meanwhile', 'somebody else keeps changing the rollout', {
    hint: 'try again in a moment',
    exit: EXIT.conflict,
  });
}
