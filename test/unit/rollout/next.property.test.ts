import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { abort, pause, type Rollout, resume, rollback } from '../../../src/lib/rollout/index.ts';
import { NEW, OLD, rolloutOf } from './support.ts';
import { type Behaviour, WELL, World } from './world.ts';

const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 6, arbitrary: fc.constant(WELL) },
  { weight: 1, arbitrary: fc.record({ readyAfter: fc.nat(30_000), diesAfter: fc.constant(null) }) },
  { weight: 1, arbitrary: fc.constant<Behaviour>({ readyAfter: Number.MAX_SAFE_INTEGER, diesAfter: null }) },
  { weight: 1, arbitrary: fc.record({ readyAfter: fc.constant(0), diesAfter: fc.nat(20_000) }) },
);

const rollouts: fc.Arbitrary<Rollout> = fc
  .record({
    count: fc.integer({ min: 1, max: 12 }),
    fresh: fc.array(fc.nat(11), { maxLength: 2 }),
    maxUnavailable: fc.oneof(
      fc.integer({ min: 1, max: 6 }).map((count) => ({ count })),
      fc.integer({ min: 1, max: 100 }).map((percent) => ({ percent })),
    ),
    canary: fc.nat(3),
    pause: fc.boolean(),
    minHealthyMs: fc.constantFrom(0, 5_000, 10_000),
    maxFailures: fc.nat(2),
    autoRollback: fc.boolean(),
  })
  .map(({ count, fresh, ...budget }) => {
    const rollout = rolloutOf(count, budget, { state: 'planned' });
    const items = rollout.items.map((item, at) => (fresh.includes(at) ? { ...item, from: null } : item));
    return { ...rollout, items };
  });

const TICK_MS = 1_000;
const LAST = 4_000;
const RUNS = 400;
type Happening =
  | 'kill'
  | 'crash before'
  | 'crash after'
  | 'pause'
  | 'resume'
  | 'rollback'
  | 'abort'
  | 'silence'
  | 'stop';

const happenings = (kinds: readonly Happening[]) =>
  fc.array(fc.record({ at: fc.nat(120), what: fc.constantFrom(...kinds), item: fc.nat(11) }), {
    maxLength: 8,
  });

const scenario = (kinds: readonly Happening[]) =>
  fc.record({
    rollout: rollouts,
    fresh: fc.array(behaviour, { minLength: 12, maxLength: 12 }),
    former: fc.array(
      fc.oneof({ weight: 9, arbitrary: fc.constant(WELL) }, { weight: 1, arbitrary: behaviour }),
      {
        minLength: 12,
        maxLength: 12,
      },
    ),
    duration: fc.constantFrom(0, 1_000, 7_000),
    events: happenings(kinds),
  });

type Scenario = typeof scenario extends (kinds: readonly Happening[]) => fc.Arbitrary<infer Value>
  ? Value
  : never;

const VERBS = { pause, resume, rollback, abort } as const;

/** Drives to the end. @returns the world and whether the last driver saw an end. */
function drive({ rollout, fresh, former, duration, events }: Scenario): { world: World; over: boolean } {
  const world = new World(rollout, (item, hash) =>
    hash === 'new' ? fresh[item]! : hash === 'old' ? former[item]! : WELL,
  );
  let over = false;
  for (let tick = 0; tick < LAST; tick++) {
    world.now = tick * TICK_MS;
    const now = events.filter(({ at }) => at === tick);
    const crash = now.some(({ what }) => what === 'crash before')
      ? 1
      : now.some(({ what }) => what === 'crash after')
        ? 2
        : 0;
    for (const { what, item } of now) {
      const place = world.places[item % world.places.length]!;
      if (what === 'kill') world.kill();
      if (what === 'silence') place.silent = !place.silent;
      if (what === 'stop' && place.wanted !== null) {
        place.wanted = { ...place.wanted, desired: 'loaded' };
        place.startedAt = null;
      }
      if (!(what in VERBS)) continue;
      try {
        world.stored = JSON.stringify(VERBS[what as keyof typeof VERBS](world.rollout));
      } catch {
        // It refuses what does not fit its state.
      }
    }
    over = world.look(duration, crash);
    if (over && !events.some(({ at }) => at > tick)) break;
  }
  return { world, over };
}

const all: readonly Happening[] = [
  'kill',
  'crash before',
  'crash after',
  'pause',
  'resume',
  'rollback',
  'abort',
  'silence',
  'stop',
];
const drivers: readonly Happening[] = ['kill', 'crash before', 'crash after'];

describe('a rollout', () => {
  test('never has more down than its budget, whatever dies, is paused, resumed or turned back', () => {
    fc.assert(
      fc.property(scenario(all), (given) => {
        expect(drive(given).world.violations).toEqual([]);
      }),
      { numRuns: RUNS },
    );
  });

  test('always ends', () => {
    fc.assert(
      fc.property(scenario(all), (given) => {
        expect(drive(given).over).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test('loses no step: when it is done every unit has the new file, when it is rolled back the former one', () => {
    fc.assert(
      fc.property(scenario(all), (given) => {
        const { world } = drive(given);
        const { state, items } = world.rollout;
        for (const [at, item] of items.entries()) {
          const place = world.places[at]!;
          // What failed and is tolerated may be anywhere between both files.
          if (item.state === 'skipped' || item.state === 'failed') continue;
          if (state === 'done' || (state === 'rolled-back' && item.from !== null))
            expect([place.wanted?.hash, place.installed]).toEqual(
              state === 'done' ? [NEW.hash, NEW.hash] : [OLD.hash, OLD.hash],
            );
          if (state === 'rolled-back' && item.from === null)
            expect([place.wanted, place.installed]).toEqual([null, null]);
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('of a version that is well is done, however often its driver dies', () => {
    fc.assert(
      fc.property(scenario(drivers), ({ rollout, ...given }) => {
        const calm = { ...rollout, budget: { ...rollout.budget, pause: false } };
        const well = Array<Behaviour>(12).fill(WELL);
        const { world } = drive({ ...given, rollout: calm, fresh: well, former: well });
        expect(world.rollout.state).toBe('done');
        expect(world.places.every(({ installed }) => installed === NEW.hash)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test('of a version that is sick takes down no more than its budget and leaves the others as they are', () => {
    fc.assert(
      fc.property(scenario(drivers), ({ rollout, ...given }) => {
        const strict = {
          ...rollout,
          budget: { ...rollout.budget, maxFailures: 0, autoRollback: false, pause: false },
        };
        const sick = Array<Behaviour>(12).fill({ readyAfter: 0, diesAfter: 0 });
        const { world } = drive({
          ...given,
          rollout: strict,
          fresh: sick,
          former: Array<Behaviour>(12).fill(WELL),
        });
        const { state, items } = world.rollout;
        expect(state).toBe('halted');
        const touched = world.places.filter(({ wanted }) => wanted?.hash === NEW.hash).length;
        expect(touched).toBe(items.filter((item) => item.state !== 'waiting').length);
        const { maxUnavailable: limit } = strict.budget;
        const most =
          'count' in limit ? limit.count : Math.max(1, Math.floor((items.length * limit.percent) / 100));
        expect(touched).toBeLessThanOrEqual(most);
      }),
      { numRuns: RUNS },
    );
  });
});
