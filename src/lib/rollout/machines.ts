import { holdsUp } from './locks.ts';
import type { Guard, Health, Rollout, RolloutItem, RolloutKind, RolloutObservation } from './model.ts';
import { formatMoment, formatWindow, isOpen, opensAt } from './window.ts';

/** Kinds of which each item is a machine. */
export const isOfMachines = (kind: RolloutKind): boolean => kind === 'reboot' || kind === 'update';

/** The group, and lock, of machines that are in no other. */
export const DEFAULT_GROUP = 'machines';

export const groupOf = ({ group }: Pick<RolloutItem, 'group'>): string => group ?? DEFAULT_GROUP;

/** What was seen of a machine. */
export interface MachineHealthFacts {
  readonly answers: boolean;
  /** What has to be well there. */
  readonly expected: readonly string[];
  readonly well: readonly string[];
  /** What systemd has given up. */
  readonly failed: readonly string[];
}

/** Whether a machine is as it was before. */
export function judgeMachine({ answers, expected, well, failed }: MachineHealthFacts): Health {
  if (!answers) return { verdict: 'unknown', why: 'does not answer' };
  const missing = expected.filter((name) => !well.includes(name));
  const [first] = missing;
  if (first === undefined) return { verdict: 'good', why: 'answers' };
  const sick = missing.find((name) => failed.includes(name));
  if (sick !== undefined) return { verdict: 'sick', why: `is back, but ${sick} is failed` };
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return { verdict: 'starting', why: `is back, and waits for ${first}${more}` };
}

/** Why an item may not be begun now. `waits`: it may be later, however long that takes. */
export interface Hold {
  readonly why: string;
  readonly waits: boolean;
}

/** What keeps every item from being begun now: the rollout's windows are closed. */
export function outsideWindows({ windows = [] }: Rollout, clock: number | undefined): Hold | null {
  if (clock === undefined || windows.length === 0 || windows.some((window) => isOpen(window, clock)))
    return null;
  const [next] = [...windows].sort((a, b) => opensAt(a, clock) - opensAt(b, clock));
  const { zone } = next!;
  const why = `window ${formatWindow(next!)} opens at ${formatMoment(opensAt(next!, clock), zone)}`;
  return { why, waits: true };
}

/**
 * What keeps one item from being begun together with those that are chosen: the cluster could not do without it, or a
 * lock has no slot left.
 */
export function heldUp(
  { items }: Rollout,
  seen: RolloutObservation,
  at: number,
  chosen: ReadonlySet<number>,
): Hold | null {
  for (const guard of seen.guards ?? []) {
    const why = wouldLose(guard, at, chosen);
    if (why !== null) return { why, waits: false };
  }
  const machine = items[at]!.machine ?? '';
  for (const need of seen.items[at]!.locks ?? []) {
    const lock = seen.locks?.get(need.name);
    const others = [...chosen].filter(
      (one) =>
        lock?.holders[items[one]!.machine ?? ''] === undefined &&
        seen.items[one]!.locks?.some(({ name }) => name === need.name),
    );
    const why = holdsUp(lock, need, machine, others.length);
    if (why !== null) return { why, waits: true };
  }
  return null;
}

function wouldLose(guard: Guard, at: number, chosen: ReadonlySet<number>): string | null {
  const { what, least, all, up, upElsewhere } = guard;
  if (!up.includes(at)) return null;
  const left = upElsewhere + up.filter((one) => one !== at && !chosen.has(one)).length;
  if (left >= least) return null;
  return `${left} of ${all} ${what} would be left, and ${least} ${least === 1 ? 'is' : 'are'} needed`;
}
