import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  abort,
  isInFlight,
  isSettled,
  next,
  pause,
  type Rollout,
  type RolloutStep,
  resume,
  type Seen,
} from '../../../src/lib/rollout/index.ts';
import { itemOf, OLD, rolloutOf } from './support.ts';

/** A unit on the machine that is drained. */
interface Unit {
  readonly global: boolean;
  readonly well: boolean;
  /** How many looks its step takes. */
  readonly takes: number;
  gone: boolean;
}

const unit = fc.record({
  global: fc.boolean(),
  well: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  takes: fc.nat(5),
});
const scenario = fc.record({
  units: fc.array(unit, { minLength: 1, maxLength: 10 }),
  most: fc.integer({ min: 1, max: 4 }),
  events: fc.array(
    fc.record({ at: fc.nat(60), what: fc.constantFrom('kill', 'pause', 'resume', 'abort', 'destroy') }),
    { maxLength: 6 },
  ),
});
type Scenario = typeof scenario extends fc.Arbitrary<infer Value> ? Value : never;

const VERBS = { pause, resume, abort } as const;
const LAST = 400;

/** A machine that is drained, with one driver after another. A step that is cut off has done half of its work or all. */
function drive({ units: given, most, events }: Scenario) {
  const units: Unit[] = given.map((one) => ({ ...one, gone: false }));
  const items = units.map(({ global }, at) =>
    itemOf(at + 1, 'waiting', { machine: 'M', from: OLD, to: OLD, ...(global && { global }) }),
  );
  let stored = JSON.stringify(
    rolloutOf(
      0,
      { maxUnavailable: { count: most }, minHealthyMs: 0 },
      { kind: 'drain', items, state: 'planned' },
    ),
  );
  let busy = new Map<number, { step: RolloutStep; ends: number }>();
  let ended = new Map<number, boolean>();
  const violations: string[] = [];
  let over = false;
  const destroyed = new Set<number>();
  for (let tick = 0; tick < LAST && !over; tick++) {
    for (const { what } of events.filter(({ at }) => at === tick)) {
      if (what === 'kill') [busy, ended] = [new Map(), new Map()];
      else if (what === 'destroy') destroyed.add(tick % units.length);
      else
        try {
          stored = JSON.stringify(VERBS[what as keyof typeof VERBS](JSON.parse(stored) as Rollout));
        } catch {
          // It refuses what does not fit its state.
        }
    }
    for (const at of destroyed) units[at]!.gone = true;
    for (const [at, { ends }] of busy) {
      if (tick < ends) continue;
      busy.delete(at);
      ended.set(at, units[at]!.well || units[at]!.gone);
      if (units[at]!.well) units[at]!.gone = true;
    }
    const seen = units.map(
      ({ gone }, at): Seen => ({
        wanted: destroyed.has(at) ? null : OLD,
        health: { verdict: 'good', why: '' },
        gone,
        announced: false,
        busy: busy.has(at),
        ended: ended.get(at) === true,
        ...(ended.get(at) === false && { failure: 'is failed' }),
        since: 0,
        goodSince: 0,
        badSince: null,
      }),
    );
    const before = JSON.parse(stored) as Rollout;
    const result = next(before, { items: seen, othersDown: [], idleSince: null }, tick);
    const after = result.rollout;
    if (after.items.filter(isInFlight).length > most) violations.push('more under way than allowed');
    const begun = after.items.filter(
      (item, at) => item.state === 'acting' && before.items[at]!.state === 'waiting',
    );
    if (begun.some(({ global }) => global) && after.items.some((item) => !item.global && !isSettled(item)))
      violations.push('a global unit leaves before the others');
    for (const [at, item] of after.items.entries())
      if (item.state !== before.items[at]!.state) ended.delete(at);
    stored = JSON.stringify(after);
    for (const step of result.steps) busy.set(step.item, { step, ends: tick + units[step.item]!.takes });
    over = result.over && busy.size === 0 && !events.some(({ at }) => at > tick);
    if (result.over && busy.size === 0 && events.some(({ at }) => at > tick)) continue;
  }
  return { rollout: JSON.parse(stored) as Rollout, units, violations, over };
}

test('never has more units on their way than it may, and global units leave last, whatever dies or is paused', () => {
  fc.assert(
    fc.property(scenario, (given) => {
      expect(drive(given).violations).toEqual([]);
    }),
    { numRuns: 1_000 },
  );
});

test('always ends, and is done only when every unit has left', () => {
  fc.assert(
    fc.property(scenario, (given) => {
      const { rollout, units, over } = drive(given);
      expect(over).toBe(true);
      if (rollout.state === 'done') expect(units.every(({ gone }) => gone)).toBe(true);
      if (given.units.every(({ well }) => well) && given.events.every(({ what }) => what === 'kill'))
        expect(rollout.state).toBe('done');
    }),
    { numRuns: 1_000 },
  );
});

test('halts at a unit that stays, and leaves those after it', () => {
  fc.assert(
    fc.property(scenario, ({ units, ...given }) => {
      const sick = units.map((one) => ({ ...one, well: false }));
      const { rollout } = drive({ ...given, units: sick, events: [] });
      expect(rollout.state).toBe('halted');
      expect(rollout.reason).toContain('is failed');
      expect(rollout.items.filter(({ state }) => state !== 'waiting').length).toBeLessThanOrEqual(given.most);
    }),
    { numRuns: 500 },
  );
});
