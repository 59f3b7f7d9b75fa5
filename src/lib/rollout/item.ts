import { isOfMachines } from './machines.ts';
import type { Rollout, RolloutItem, Seen, StepResult, Version } from './model.ts';
import { formatSeconds } from './words.ts';

/** What the item is to become. */
export function targetOf({ back }: Pick<Rollout, 'back'>, { from, to }: RolloutItem): Version | null {
  return back ? from : to;
}

/** What the item comes from. */
export function originOf({ back }: Pick<Rollout, 'back'>, { from, to }: RolloutItem): Version | null {
  return back ? to : from;
}

/** Whether a driver has something to do in this state. */
export function isLive({ state }: Pick<Rollout, 'state'>): boolean {
  return ['planned', 'checking', 'running', 'paused', 'rolling-back'].includes(state);
}

export const isInFlight = ({ state }: RolloutItem): boolean => state === 'acting' || state === 'returning';
export const isSettled = ({ state }: RolloutItem): boolean =>
  ['healthy', 'failed', 'skipped'].includes(state);

/** The item after what was seen; the same object where nothing changed. */
export function advance(rollout: Rollout, item: RolloutItem, seen: Seen, now: number): RolloutItem {
  if (item.state === 'failed' || item.state === 'skipped' || seen.busy) return item;
  const strange = overtaken(rollout, item, seen);
  if (strange !== null) return { ...item, state: 'skipped', why: strange };
  if (item.state === 'acting') return acted(rollout, item, seen);
  if (item.state === 'returning') return returned(rollout, item, seen, now);
  return item.state === 'healthy' ? relapsed(rollout, item, seen, now) : unneeded(rollout, item, seen);
}

/** What somebody else did to the unit, where the rollout has nothing to do with it any more. */
function overtaken(rollout: Rollout, item: RolloutItem, { wanted, gone }: Seen): string | null {
  const [origin, target] = [originOf(rollout, item), targetOf(rollout, item)];
  if (isOfMachines(rollout.kind)) return wanted === null ? 'was removed meanwhile' : null;
  if (rollout.kind === 'drain') return wanted === null && gone === true ? 'was destroyed meanwhile' : null;
  if (rollout.kind === 'restart') {
    if (wanted === null) return 'was destroyed meanwhile';
    return wanted.desired === 'launched' ? null : 'was stopped meanwhile';
  }
  const isReached = item.state === 'returning' || item.state === 'healthy';
  if (wanted === null) {
    if (target === null) return null;
    return origin === null && !isReached ? null : 'was destroyed meanwhile';
  }
  if (wanted.hash === target?.hash) return null;
  if (isReached) return 'was given another file meanwhile';
  return wanted.hash === origin?.hash ? null : 'was given another file meanwhile';
}

/** A unit that is as it should be before its turn comes needs no step; nor does a machine that came back late. */
function unneeded(rollout: Rollout, item: RolloutItem, seen: Seen): RolloutItem {
  const { wanted, health, run, gone } = seen;
  const isBack = item.run !== undefined && run !== undefined && run !== item.run;
  if (rollout.kind === 'reboot' && item.again && isBack) return { ...item, state: 'returning' };
  if (rollout.kind === 'drain')
    return gone === true && health.verdict === 'good' ? { ...item, state: 'healthy' } : item;
  const target = targetOf(rollout, item);
  const isThere = wanted?.hash === target?.hash && wanted?.desired === target?.desired;
  if (rollout.kind !== 'file' || item.again || !isThere || health.verdict !== 'good') return item;
  return { ...item, state: 'healthy' };
}

function acted(rollout: Rollout, before: RolloutItem, seen: Seen): RolloutItem {
  const { ended, failure, run, result } = seen;
  const item = result === undefined ? before : withResult(before, result);
  if (failure !== undefined) return { ...item, state: 'failed', why: failure };
  // A driver that died had its restart done: the unit is in another run.
  const isDone =
    rollout.kind === 'restart' && run !== undefined && item.run !== undefined && run !== item.run;
  return ended || isDone ? { ...item, state: 'returning' } : item;
}

/** An update that is tried again adds to what it changed before. */
function withResult(item: RolloutItem, { packages, rebootNeeded }: StepResult): RolloutItem {
  const { rebootNeeded: _former, ...rest } = item;
  return {
    ...rest,
    ...(packages !== undefined && { packages: [...(item.packages ?? []), ...packages] }),
    ...(rebootNeeded !== undefined && { rebootNeeded }),
  };
}

function returned(rollout: Rollout, item: RolloutItem, seen: Seen, now: number): RolloutItem {
  const { minHealthyMs, deadlineMs } = rollout.budget;
  const { health, goodSince, since } = seen;
  if (health.verdict === 'sick') return { ...item, state: 'failed', why: health.why };
  if (health.verdict === 'good' && goodSince !== null) {
    // A drain's step ends when the unit has been healthy elsewhere for so long.
    const isWatched = rollout.kind !== 'drain' && targetOf(rollout, item)?.desired === 'launched';
    const needed = isWatched ? minHealthyMs : 0;
    if (now - goodSince < needed) return item;
    const { again: _again, ...rest } = item;
    return { ...rest, state: 'healthy' };
  }
  if (now - since < deadlineMs) return item;
  return {
    ...item,
    state: 'failed',
    why: `was not healthy within ${formatSeconds(deadlineMs)}: ${health.why}`,
  };
}

/** An item that was healthy and is so no more counts as failed, as long as the rollout goes on. */
function relapsed(
  rollout: Rollout,
  item: RolloutItem,
  { health, badSince, wanted }: Seen,
  now: number,
): RolloutItem {
  if (wanted?.desired !== 'launched' && health.verdict !== 'unknown') return item;
  if (health.verdict === 'sick')
    return { ...item, state: 'failed', why: `${health.why} after it had been healthy` };
  if (badSince === null || now - badSince < rollout.budget.deadlineMs) return item;
  const lasted = formatSeconds(rollout.budget.deadlineMs);
  return {
    ...item,
    state: 'failed',
    why: `has not been healthy for ${lasted} after it had been: ${health.why}`,
  };
}
