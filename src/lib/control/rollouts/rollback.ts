import type { Session } from '../session.ts';
import { fileHistory, intendRollback, type KnownVersion, rollbackAtOnce } from '../units/file-history.ts';
import type { VerbOptions } from '../units/verb.ts';
import type { BeginOptions } from './begin.ts';
import { draftOfIntent, type FilesDraft } from './files.ts';
import { planRollout, type RollOptions, type RolloutPlan, roll } from './start.ts';

/**
 * `rollback`: gives units a former text by a rollout, where more than one of them runs; else at once.
 * @throws what `intendRollback` and `roll` throw.
 */
export async function rollbackRolling(
  session: Session,
  unit: string,
  to: string | undefined,
  options: RollOptions & VerbOptions,
): Promise<void> {
  const versions = await fileHistory(session, unit);
  const draft = (): Promise<FilesDraft> => draftOfRollback(session, versions, unit, to);
  const { isShared } = await draft();
  if (options.block && (isShared || options.always)) await roll(session, draft, options);
  else await rollbackAtOnce(session, unit, to, options);
}

/** The batches of what `rollbackRolling` would do. */
export async function planRollback(
  session: Session,
  unit: string,
  to: string | undefined,
  options: BeginOptions,
): Promise<RolloutPlan> {
  const versions = await fileHistory(session, unit);
  return await planRollout(session, await draftOfRollback(session, versions, unit, to), options);
}

async function draftOfRollback(
  session: Session,
  versions: readonly KnownVersion[],
  unit: string,
  to: string | undefined,
): Promise<FilesDraft> {
  const state = await (await session.registry()).load();
  const { intent, version } = intendRollback(state, versions, unit, to);
  const units = [...(intent.units ?? [])].filter(([name]) => {
    const known = state.units.get(name);
    return known?.hash !== version.hash || known.hashes !== undefined;
  });
  return draftOfIntent(session, state, { ...intent, units: new Map(units) }, []);
}
