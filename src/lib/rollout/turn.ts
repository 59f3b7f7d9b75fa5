import { ClusterError } from '../error.ts';
import { isLive } from './item.ts';
import type { Rollout, RolloutItem } from './model.ts';

/*
 * What a person can do with a rollout. Each returns the object to record, or throws `rollout-state` (exit 1), so that
 * nothing is changed.
 */

/** No new batch is begun; what is under way is watched to its end. */
export function pause(rollout: Rollout): Rollout {
  if (rollout.state === 'paused')
    throw wrongState(rollout, 'is paused already', `cluster rollout resume ${rollout.id}`);
  if (!isLive(rollout)) throw wrongState(rollout, `is ${rollout.state}: there is nothing to pause`);
  return { ...rollout, state: 'paused', reason: 'an operator paused it' };
}

/** Goes on in the direction that it had; what failed is tried again. */
export function resume(rollout: Rollout): Rollout {
  if (!isLive(rollout) && rollout.state !== 'halted')
    throw wrongState(rollout, `is ${rollout.state}: there is nothing to resume`);
  const { reason: _reason, ...rest } = rollout;
  const retry = ({ why: _why, ...item }: RolloutItem): RolloutItem => ({
    ...item,
    state: 'waiting',
    again: true,
  });
  const items = rollout.items.map((item) => (item.state === 'failed' ? retry(item) : item));
  const isBegun = rollout.items.some(({ wasHealthy }) => wasHealthy !== undefined);
  const state = rollout.back ? 'rolling-back' : isBegun ? 'running' : 'checking';
  const canaryPassed = rollout.canaryPassed || rollout.state === 'paused';
  return { ...rest, items, state, canaryPassed };
}

/** Brings what was before back to every unit that the rollout changed. */
export function rollback(rollout: Rollout): Rollout {
  if (rollout.kind !== 'file')
    throw wrongState(
      rollout,
      `is a ${rollout.kind}: it has no former file to go back to`,
      'cluster rollout abort ends it',
    );
  if (rollout.back)
    throw wrongState(
      rollout,
      rollout.state === 'rolled-back' ? 'is rolled back already' : 'goes back already',
    );
  if (rollout.items.every(({ state }) => state === 'waiting' || state === 'skipped'))
    throw wrongState(
      rollout,
      'has changed nothing that could be brought back',
      `cluster rollout abort ${rollout.id} ends it`,
    );
  return turnBack(rollout, 'an operator wants the former file back');
}

/** Ends it; every unit stays as it is. */
export function abort(rollout: Rollout, reason = 'an operator ended it'): Rollout {
  if (!isLive(rollout) && rollout.state !== 'halted')
    throw wrongState(rollout, `is ${rollout.state}: there is nothing to abort`);
  return { ...rollout, state: 'aborted', reason };
}

/** The same rollout, on its way back. */
export function turnBack(rollout: Rollout, reason: string): Rollout {
  const turned = (item: RolloutItem): RolloutItem => {
    if (item.state === 'skipped') return item;
    if (item.state === 'waiting') return { ...item, state: 'skipped', why: 'was not changed' };
    const { why: _why, again: _again, ...rest } = item;
    return { ...rest, state: 'waiting' };
  };
  return {
    ...rollout,
    back: true,
    state: 'rolling-back',
    reason,
    batch: 0,
    items: rollout.items.map(turned),
  };
}

function wrongState(rollout: Rollout, what: string, hint?: string): ClusterError {
  return new ClusterError('rollout-state', `rollout ${rollout.id} ${what}; nothing was changed`, {
    hint: hint ?? `cluster rollout show ${rollout.id}`,
  });
}
