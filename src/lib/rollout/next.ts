import { allowed } from './budget.ts';
import { advance, isInFlight, isLive, isSettled, originOf, targetOf } from './item.ts';
import { groupOf, type Hold, heldUp, isOfMachines, outsideWindows } from './machines.ts';
import type { Next, Rollout, RolloutItem, RolloutObservation, RolloutStep, Seen } from './model.ts';
import { nameItem, nameSome } from './names.ts';
import { turnBack } from './turn.ts';
import { noAnswer } from './words.ts';

/**
 * What a rollout needs next: the object to record, then the steps to take, or why there are none. Pure; called again
 * whenever something was seen, time has passed or a step has ended, by whoever drives. A step is returned until it is
 * seen as under way or ended, so that a driver that died loses none.
 */
export function next(rollout: Rollout, seen: RolloutObservation, now: number): Next {
  if (!isLive(rollout)) return stay(rollout, [], true);
  if (rollout.state === 'planned')
    return stay({ ...rollout, state: 'checking' }, ['looking at all units first']);
  const moved = advanced(rollout, seen, now);
  if (rollout.state === 'checking') return checked(moved, seen);

  const failed = moved.items.filter(({ state }) => state === 'failed');
  if (failed.length > moved.budget.maxFailures) return halted(moved, failureText(failed));
  if (moved.items.every(isSettled)) return finished(moved);

  const inFlight = moved.items.some((item, at) => isInFlight(item) || seen.items[at]!.busy);
  const begun = inFlight || moved.state === 'paused' ? moved : withBatch(moved, seen, now);
  if (begun.state === 'halted' || (begun.state === 'rolling-back' && !moved.back))
    return stay(begun, [], !isLive(begun));
  const steps = stepsOf(begun, seen);
  const why = whyWaiting(begun, seen);
  const over = begun.state === 'paused' && !begun.items.some(isInFlight);
  return { rollout: begun, steps, why, wakeAt: wakeTime(begun, seen), over };
}

const stay = (rollout: Rollout, why: readonly string[], over = false): Next => ({
  rollout,
  steps: [],
  why,
  wakeAt: null,
  over,
});

/** The rollout with every item in the state that was seen; the same object where nothing changed. */
function advanced(rollout: Rollout, seen: RolloutObservation, now: number): Rollout {
  const items = rollout.items.map((item, at) => advance(rollout, item, seen.items[at]!, now));
  return items.some((item, at) => item !== rollout.items[at]) ? { ...rollout, items } : rollout;
}

/** Before the first step: every machine answers, and what was healthy is noted. */
function checked(rollout: Rollout, seen: RolloutObservation): Next {
  const silent = rollout.items.filter((_, at) => seen.items[at]!.health.verdict === 'unknown');
  if (silent.length > 0) {
    const reason = noAnswer(nameSome(silent.map(nameItem)));
    return stay({ ...rollout, state: 'halted', reason }, [], true);
  }
  const items = rollout.items.map((item, at) => ({
    ...item,
    wasHealthy: item.from !== null && seen.items[at]!.health.verdict === 'good',
  }));
  return stay({ ...rollout, items, state: 'running' }, []);
}

function halted(rollout: Rollout, reason: string): Next {
  const { budget, back, items } = rollout;
  const stopped: Rollout = { ...rollout, state: 'halted', reason };
  const changed = items.filter(
    ({ state, from }) => state !== 'waiting' && state !== 'skipped' && from !== null,
  );
  const canGoBack = budget.autoRollback && !back && rollout.kind === 'file';
  if (!canGoBack) return stay(stopped, [], true);
  // Going back to what was sick as well would change running units for nothing.
  const wasSick = changed.find(({ wasHealthy }) => !wasHealthy);
  if (wasSick !== undefined) {
    const why = `${reason}; it does not go back, since ${nameItem(wasSick)} was not healthy before either`;
    return stay({ ...stopped, reason: why }, [], true);
  }
  return { ...stay(turnBack(stopped, reason), []), failed: stopped };
}

function failureText(failed: readonly RolloutItem[]): string {
  const [first] = failed;
  const more = failed.length > 1 ? `, and ${failed.length - 1} more failed` : '';
  return `${nameItem(first!)} ${first!.why ?? 'failed'}${more}`;
}

function finished(rollout: Rollout): Next {
  return stay({ ...rollout, state: rollout.back ? 'rolled-back' : 'done' }, [], true);
}

/** Begins the next batch; or pauses after the canary; or halts when nothing could be begun for too long. */
function withBatch(rollout: Rollout, seen: RolloutObservation, now: number): Rollout {
  const { budget, back, items } = rollout;
  const settled = items.filter(isSettled).length;
  const inCanary = !back && settled < budget.canary;
  const mustAsk = !back && budget.pause && budget.canary > 0 && !rollout.canaryPassed;
  if (mustAsk && !inCanary) return { ...rollout, state: 'paused', reason: 'the canary is healthy' };

  const chosen = chooseBatch(rollout, seen, inCanary ? budget.canary - settled : items.length);
  if (chosen.size > 0) {
    const begin = ({ run: _former, ...item }: RolloutItem, at: number): RolloutItem => {
      const { run, well: wellNow, announced: now } = seen.items[at]!;
      const well = item.well ?? wellNow;
      // What is announced on the way back, or when a step is repeated, may be the new version's.
      const announced = item.announced ?? (item.from !== null && now);
      return {
        ...item,
        state: 'acting',
        announced,
        ...(run !== undefined && { run }),
        ...(well !== undefined && { well }),
      };
    };
    return {
      ...rollout,
      batch: rollout.batch + 1,
      items: items.map((item, at) => (chosen.has(at) ? begin(item, at) : item)),
    };
  }
  const hold = holdOf(rollout, seen);
  if (hold?.waits || now - (seen.idleSince ?? now) < budget.deadlineMs) return rollout;
  return halted(rollout, `cannot go on: ${hold?.why ?? budgetText(rollout, seen)}`).rollout;
}

/** What keeps items from being begun besides the budget; null = nothing. */
function holdOf(rollout: Rollout, seen: RolloutObservation): Hold | null {
  const shut = outsideWindows(rollout, seen.clock);
  if (shut !== null) return shut;
  const holds = openItems(rollout, seen).flatMap((at) => {
    const hold = heldUp(rollout, seen, at, new Set());
    return hold === null ? [] : [{ ...hold, why: `${nameItem(rollout.items[at]!)}: ${hold.why}` }];
  });
  return holds.find(({ waits }) => waits) ?? holds[0] ?? null;
}

/** Positions of the items that could be begun now, of the group whose turn it is. */
function openItems({ kind, items }: Rollout, seen: RolloutObservation): number[] {
  const group = isOfMachines(kind) ? items.find((item) => !isSettled(item)) : undefined;
  return [...items.keys()].filter((at) => {
    const { health, busy } = seen.items[at]!;
    const isTurn = group === undefined || groupOf(group) === groupOf(items[at]!);
    return isTurn && items[at]!.state === 'waiting' && health.verdict !== 'unknown' && !busy;
  });
}

/**
 * Positions of the items to begin now, when nothing is under way. What is down already is begun first, since that makes
 * nothing worse; of what is up only so much that never more than the budget is down, for whatever reason.
 */
function chooseBatch(rollout: Rollout, seen: RolloutObservation, most: number): Set<number> {
  const { items } = rollout;
  if (outsideWindows(rollout, seen.clock) !== null) return new Set();
  const total = allowed(rollout.budget.maxUnavailable, items.length);
  const cap = Math.min(total, most);
  const open = openItems(rollout, seen);
  const launched = open.filter((at) => targetOf(rollout, items[at]!)?.desired === 'launched');
  // Templates and what is loaded only come last: while they wait, their old file is what new instances get.
  const isDrain = rollout.kind === 'drain';
  const waiting = isDrain ? stillThere(rollout, open) : launched.length > 0 ? launched : open;
  const isUp = (at: number): boolean => takesDown(rollout, items[at]!, seen, at);
  const chosen = new Set<number>();
  let room = total - downNow(rollout, seen).length;
  for (const at of [...waiting.filter((one) => !isUp(one)), ...waiting.filter(isUp)]) {
    if (chosen.size >= cap || (isUp(at) && room <= 0)) break;
    if (heldUp(rollout, seen, at, chosen) !== null) continue;
    chosen.add(at);
    if (isUp(at)) room--;
  }
  return chosen;
}

/** Global units leave a machine when all others have left it. */
function stillThere({ items }: Rollout, open: readonly number[]): readonly number[] {
  const isLast = items.every((item) => item.global === true || isSettled(item));
  return open.filter((at) => isLast || items[at]!.global !== true);
}

/** Whether beginning with the item makes something unavailable that is available now. */
function takesDown(rollout: Rollout, item: RolloutItem, seen: RolloutObservation, at: number): boolean {
  // It runs elsewhere before it leaves; what cannot is taken down on purpose.
  if (rollout.kind === 'drain') return false;
  return serves(rollout, item, seen, at) && seen.items[at]!.health.verdict === 'good';
}

/** Whether the item is part of what should be available now. */
function serves(rollout: Rollout, item: RolloutItem, seen: RolloutObservation, at: number): boolean {
  const wanted = seen.items[at]!.wanted;
  if (wanted?.desired !== 'launched') return false;
  return rollout.back || item.from !== null || isSettled(item);
}

/** What should be available and is not, in words. */
function downNow(rollout: Rollout, seen: RolloutObservation): string[] {
  const down = rollout.items.filter(
    (item, at) => serves(rollout, item, seen, at) && seen.items[at]!.health.verdict !== 'good',
  );
  return [...down.map(nameItem), ...seen.othersDown];
}

function budgetText(rollout: Rollout, seen: RolloutObservation): string {
  const down = downNow(rollout, seen);
  const silent = rollout.items.filter(
    ({ state }, at) => state === 'waiting' && seen.items[at]!.health.verdict === 'unknown',
  );
  if (silent.length > 0) return noAnswer(nameSome(silent.map(nameItem)));
  const most = allowed(rollout.budget.maxUnavailable, rollout.items.length);
  return `${nameSome(down)} ${down.length === 1 ? 'is' : 'are'} down, and no more than ${most} may be`;
}

const ACTING: Readonly<Record<Rollout['kind'], string>> = {
  file: 'is being changed',
  restart: 'is being changed',
  drain: 'is leaving',
  reboot: 'is being changed',
  update: 'is being changed',
};

function whyWaiting(rollout: Rollout, seen: RolloutObservation): string[] {
  const flying = rollout.items.flatMap((item, at) =>
    isInFlight(item)
      ? [`${nameItem(item)} ${item.state === 'acting' ? ACTING[rollout.kind] : seen.items[at]!.health.why}`]
      : [],
  );
  if (flying.length > 0 || rollout.state === 'paused') return flying;
  if (!rollout.items.some(({ state }) => state === 'waiting')) return [];
  return [holdOf(rollout, seen)?.why ?? budgetText(rollout, seen)];
}

/** The steps of all items that are begun, neither under way nor ended. */
function stepsOf(rollout: Rollout, seen: RolloutObservation): RolloutStep[] {
  return rollout.items.flatMap((item, at) => {
    const { busy, ended, failure } = seen.items[at]!;
    if (item.state !== 'acting' || busy || ended || failure !== undefined) return [];
    return [{ item: at, ...stepOf(rollout, item, seen.items[at]!) }];
  });
}

function stepOf(rollout: Rollout, item: RolloutItem, { wanted }: Seen): Omit<RolloutStep, 'item'> {
  const { unit, machine } = item;
  const more = { unit, machine, again: item.again === true };
  const { kind } = rollout;
  if (kind === 'restart' || kind === 'reboot' || kind === 'update')
    return { action: kind, version: item.to, ...more };
  if (kind === 'drain') return { action: 'move', version: item.to, ...more };
  const target = targetOf(rollout, item);
  if (target === null) return { action: 'remove', version: null, ...more };
  // What an operator stopped or started meanwhile stays so: only the file is the rollout's.
  const origin = originOf(rollout, item);
  const isTheirs = wanted !== null && wanted.desired !== origin?.desired && wanted.desired !== target.desired;
  const desired = isTheirs ? wanted.desired : target.desired;
  return { action: 'switch', version: { hash: target.hash, desired }, ...more };
}

/** The next moment at which time alone changes something; null = there is none. */
function wakeTime(rollout: Rollout, seen: RolloutObservation): number | null {
  const { minHealthyMs, deadlineMs } = rollout.budget;
  const times = rollout.items.flatMap(({ state }, at) => {
    const { since, goodSince, badSince } = seen.items[at]!;
    if (state === 'returning') return goodSince === null ? [since + deadlineMs] : [goodSince + minHealthyMs];
    return state === 'healthy' && badSince !== null ? [badSince + deadlineMs] : [];
  });
  const isIdle = !rollout.items.some(isInFlight) && rollout.state !== 'paused';
  if (isIdle && seen.idleSince !== null) times.push(seen.idleSince + deadlineMs);
  return times.length === 0 ? null : Math.min(...times);
}
