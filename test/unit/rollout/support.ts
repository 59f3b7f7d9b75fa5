import type {
  Budget,
  Health,
  ItemState,
  Rollout,
  RolloutItem,
  RolloutObservation,
  Seen,
  Version,
} from '../../../src/lib/rollout/index.ts';

export const BUDGET: Budget = {
  maxUnavailable: { count: 1 },
  canary: 0,
  pause: false,
  minHealthyMs: 10_000,
  deadlineMs: 60_000,
  maxFailures: 0,
  autoRollback: false,
};

export const OLD: Version = { hash: 'old', desired: 'launched' };
export const NEW: Version = { hash: 'new', desired: 'launched' };
export const GOOD: Health = { verdict: 'good', why: 'active' };

export const itemOf = (
  number: number,
  state: ItemState = 'waiting',
  more: Partial<RolloutItem> = {},
): RolloutItem => ({
  unit: `web@${number}.service`,
  machine: null,
  from: OLD,
  to: NEW,
  state,
  ...more,
});

export function rolloutOf(count: number, budget: Partial<Budget> = {}, more: Partial<Rollout> = {}): Rollout {
  return {
    v: 1,
    id: '7',
    kind: 'file',
    state: 'running',
    back: false,
    budget: { ...BUDGET, ...budget },
    items: Array.from({ length: count }, (_, at) => itemOf(at + 1)),
    batch: 0,
    canaryPassed: false,
    who: 'ada@desk',
    began: '2026-01-01T00:00:00.000Z',
    ...more,
  };
}

export const seenOf = (more: Partial<Seen> = {}): Seen => ({
  wanted: OLD,
  health: GOOD,
  run: 'first',
  announced: false,
  busy: false,
  ended: false,
  since: 0,
  goodSince: 0,
  badSince: null,
  ...more,
});

export const observed = (
  items: readonly Seen[],
  more: Partial<RolloutObservation> = {},
): RolloutObservation => ({
  items,
  othersDown: [],
  idleSince: 0,
  ...more,
});
