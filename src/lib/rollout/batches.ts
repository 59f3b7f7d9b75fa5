import type { Rollout, RolloutObservation, Seen } from './model.ts';
import { next } from './next.ts';

/** The batches in which the items would be changed if all went well: positions in `items`, in order. */
export function batches(rollout: Rollout, seen: RolloutObservation): number[][] {
  const out: number[][] = [];
  let current: Rollout = { ...rollout, state: 'running', canaryPassed: true };
  let items = seen.items;
  for (;;) {
    const { rollout: after } = next(current, { ...seen, items, idleSince: 0 }, 0);
    const begun = [...after.items.keys()].filter((at) => after.items[at]!.state === 'acting');
    if (begun.length === 0) return out;
    out.push(begun);
    const isBegun = new Set(begun);
    items = items.map((one, at) => (isBegun.has(at) ? wellAfter(one, after.items[at]!.to) : one));
    current = {
      ...after,
      items: after.items.map((item, at) => (isBegun.has(at) ? { ...item, state: 'healthy' } : item)),
    };
  }
}

const wellAfter = (seen: Seen, wanted: Seen['wanted']): Seen => ({
  ...seen,
  wanted,
  health: { verdict: 'good', why: '' },
  goodSince: 0,
  badSince: null,
});
