import { ClusterError, ClusterErrors } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { RegistryState } from '../../registry/index.ts';
import type { RolloutItem } from '../../rollout/index.ts';
import { reportRefused } from '../report.ts';
import type { Session } from '../session.ts';
import { nameUnits, notInactive, requireKnown } from '../units/name-units.ts';
import { start } from '../units/start.ts';
import type { VerbOptions } from '../units/verb.ts';
import type { BeginOptions, Draft } from './begin.ts';
import type { DriveOptions } from './drive.ts';
import { planRollout, type RolloutPlan, roll } from './start.ts';

/** Restarts what runs by a rollout, and starts what is loaded. */
export async function restartRolling(
  session: Session,
  args: readonly string[],
  options: BeginOptions & DriveOptions & VerbOptions,
): Promise<void> {
  const { items, rest } = draftOfRestart(session, await session.state(), args);
  const draft = async () => draftOfRestart(session, await (await session.registry()).load(), args);
  if (items.length > 0) await roll(session, draft, options);
  if (rest.length > 0) await start(session, rest, 'launched', { ...options, differing: 'keep' });
}

/** The batches of what `restartRolling` would do. */
export async function planRestart(
  session: Session,
  args: readonly string[],
  options: BeginOptions,
): Promise<RolloutPlan> {
  const state = await session.state();
  return await planRollout(session, draftOfRestart(session, state, args), options);
}

/**
 * `restart --rolling`: one item for each launched unit on each of its machines. Units that are loaded only are `rest`:
 * there is nothing to restart.
 * @throws `not-loaded` for a unit that is inactive, `unplaceable` for one that has no machine.
 */
function draftOfRestart(
  session: Session,
  state: RegistryState,
  args: readonly string[],
): Draft & { readonly rest: readonly string[] } {
  const names = requireKnown(state, nameUnits(state, args, notInactive));
  const idle = names.find((name) => state.units.get(name)?.desired === 'inactive');
  if (idle !== undefined)
    throw new ClusterError('not-loaded', `Unable to restart unit ${idle} in state inactive`, {
      unit: idle,
      hint: `cluster start ${idle}`,
    });
  const decision = decide(state);
  const wanted = new Set(names.filter((name) => state.units.get(name)?.desired === 'launched'));
  const refusals = decision.result.refusals.filter(({ unit }) => wanted.has(unit));
  if (refusals.length > 0)
    throw new ClusterErrors(
      refusals.map((one) => reportRefused(session, one)),
      true,
    );
  const items = decision.assignments
    .filter(({ unit }) => wanted.has(unit))
    .map(({ unit, machine, hash, desired }): RolloutItem => {
      const version = { hash, desired };
      const only = decision.globals.has(unit) ? machine : null;
      return { unit, machine: only, from: version, to: version, state: 'waiting' };
    });
  const rest = names.filter((name) => state.units.get(name)?.desired === 'loaded');
  return { kind: 'restart', items, files: new Map(), rest };
}
