import { describe, expect, test } from 'vitest';
import {
  abort,
  batches,
  type Health,
  holderOf,
  judge,
  next,
  overlap,
  parseLimit,
  pause,
  type Rollout,
  resume,
  rollback,
} from '../../../src/lib/rollout/index.ts';
import { GOOD, itemOf, NEW, OLD, observed, rolloutOf, seenOf } from './support.ts';

const SICK: Health = { verdict: 'sick', why: 'is failed' };
const STARTING: Health = { verdict: 'starting', why: 'health check answers 500' };
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  return 'nothing was thrown';
};

describe('next', () => {
  test('begins with as many as the budget allows, and with nothing while they are under way', () => {
    const rollout = rolloutOf(5, { maxUnavailable: { count: 2 } });
    const first = next(rollout, observed(Array(5).fill(seenOf())), 0);
    expect(first.steps.map(({ unit }) => unit)).toEqual(['web@1.service', 'web@2.service']);
    expect(first.rollout.batch).toBe(1);
    const busy = [seenOf({ busy: true }), seenOf({ busy: true }), seenOf(), seenOf(), seenOf()];
    expect(next(first.rollout, observed(busy, { idleSince: null }), 1).steps).toEqual([]);
  });

  test('notes what was announced before, and not what the new version announces', () => {
    const seen = [seenOf({ announced: true }), seenOf()];
    const first = next(rolloutOf(2, { maxUnavailable: { count: 2 } }), observed(seen), 0).rollout;
    expect(first.items.map(({ announced }) => announced)).toEqual([true, false]);
    const again = first.items.map((item) => ({ ...item, state: 'waiting' as const, again: true as const }));
    const other = [seenOf(), seenOf({ announced: true })];
    const second = next({ ...first, items: again }, observed(other), 0).rollout;
    expect(second.items.map(({ announced }) => announced)).toEqual([true, false]);
    const fresh = rolloutOf(1, {}, { items: [itemOf(1, 'waiting', { from: null })] });
    expect(
      next(fresh, observed([seenOf({ announced: true, wanted: null })]), 0).rollout.items[0]!.announced,
    ).toBe(false);
  });

  test('returns a step again to a driver that takes over, and not once it has ended', () => {
    const rollout = rolloutOf(2, {}, { items: [itemOf(1, 'acting'), itemOf(2)] });
    expect(next(rollout, observed([seenOf(), seenOf()]), 0).steps).toHaveLength(1);
    const ended = next(rollout, observed([seenOf({ ended: true, wanted: NEW }), seenOf()]), 0);
    expect(ended.steps).toEqual([]);
    expect(ended.rollout.items[0]!.state).toBe('returning');
  });

  test('waits for the whole time that an item has to be healthy, and tells when to look again', () => {
    const rollout = rolloutOf(2, {}, { items: [itemOf(1, 'returning'), itemOf(2)] });
    const seen = observed([seenOf({ wanted: NEW, goodSince: 1_000 }), seenOf()], { idleSince: null });
    expect(next(rollout, seen, 10_999)).toMatchObject({ wakeAt: 11_000, steps: [] });
    const after = next(rollout, seen, 11_000);
    expect(after.rollout.items.map(({ state }) => state)).toEqual(['healthy', 'acting']);
  });

  test.each([
    ['sick', SICK, 0, 'web@1.service is failed'],
    [
      'past its deadline',
      STARTING,
      60_000,
      'web@1.service was not healthy within 60 s: health check answers 500',
    ],
  ])('halts at the first item that is %s', (_, health, now, reason) => {
    const rollout = rolloutOf(3, {}, { items: [itemOf(1, 'returning'), itemOf(2), itemOf(3)] });
    const sick = seenOf({ wanted: NEW, health, goodSince: null, badSince: 0 });
    const after = next(rollout, observed([sick, seenOf(), seenOf()], { idleSince: null }), now);
    expect(after).toMatchObject({ over: true, steps: [], rollout: { state: 'halted', reason } });
    expect(after.rollout.items.map(({ state }) => state)).toEqual(['failed', 'waiting', 'waiting']);
  });

  test('halts when an item that was healthy turns sick while others are changed', () => {
    const rollout = rolloutOf(3, {}, { items: [itemOf(1, 'healthy'), itemOf(2, 'returning'), itemOf(3)] });
    const seen = [seenOf({ wanted: NEW, health: SICK, goodSince: null }), seenOf({ wanted: NEW }), seenOf()];
    expect(next(rollout, observed(seen), 1).rollout).toMatchObject({
      state: 'halted',
      reason: 'web@1.service is failed after it had been healthy',
    });
  });

  test('goes back by itself only to what was healthy, and only once', () => {
    const failing = (more: Partial<Rollout>, wasHealthy: boolean) =>
      rolloutOf(
        2,
        { autoRollback: true },
        { items: [itemOf(1, 'returning', { wasHealthy }), itemOf(2)], ...more },
      );
    const seen = observed([seenOf({ wanted: NEW, health: SICK }), seenOf()]);
    const back = next(failing({}, true), seen, 1).rollout;
    expect(back).toMatchObject({ state: 'rolling-back', back: true });
    expect(back.items.map(({ state }) => state)).toEqual(['waiting', 'skipped']);
    expect(next(failing({}, false), seen, 1).rollout.state).toBe('halted');
    const again = observed([seenOf({ wanted: OLD, health: SICK }), seenOf()]);
    expect(next(failing({ back: true, state: 'rolling-back' }, true), again, 1).rollout.state).toBe('halted');
  });

  test('counts what is down for any other reason, waits for it, and halts after the deadline', () => {
    const seen = (idleSince: number) =>
      observed([seenOf(), seenOf()], { othersDown: ['web@9.service'], idleSince });
    const waiting = next(rolloutOf(2), seen(0), 1);
    expect(waiting).toMatchObject({
      steps: [],
      why: ['web@9.service is down, and no more than 1 may be'],
      wakeAt: 60_000,
    });
    expect(next(rolloutOf(2), seen(0), 60_000).rollout.state).toBe('halted');
  });

  test('begins with what is down already, since that makes nothing worse', () => {
    const seen = [seenOf(), seenOf({ health: SICK, goodSince: null }), seenOf()];
    expect(next(rolloutOf(3), observed(seen), 0).steps.map(({ unit }) => unit)).toEqual(['web@2.service']);
  });

  test('pauses after the canary, and goes on when it is resumed', () => {
    const rollout = rolloutOf(3, { canary: 1, pause: true, maxUnavailable: { count: 3 } });
    const first = next(rollout, observed(Array(3).fill(seenOf())), 0);
    expect(first.steps).toHaveLength(1);
    const items = [itemOf(1, 'healthy', { wasHealthy: true }), itemOf(2), itemOf(3)];
    const well = { ...rollout, items };
    const seen = observed([seenOf({ wanted: NEW }), seenOf(), seenOf()]);
    const paused = next(well, seen, 0);
    expect(paused).toMatchObject({
      over: true,
      rollout: { state: 'paused', reason: 'the canary is healthy' },
    });
    expect(next(resume(paused.rollout), seen, 0).steps).toHaveLength(2);
  });

  test.each([
    ['destroyed', null, 'was destroyed meanwhile'],
    ['given another file', { hash: 'other', desired: 'launched' }, 'was given another file meanwhile'],
  ] as const)('passes over a unit that was %s by somebody else', (_, wanted, why) => {
    const after = next(rolloutOf(1), observed([seenOf({ wanted })]), 0);
    expect(after.rollout).toMatchObject({ state: 'done', items: [{ state: 'skipped', why }] });
  });

  test('gives the file, and not the start, to a unit that an operator stopped meanwhile', () => {
    const stopped = seenOf({ wanted: { hash: 'old', desired: 'loaded' } });
    expect(next(rolloutOf(1), observed([stopped]), 0).steps[0]!.version).toEqual({
      hash: 'new',
      desired: 'loaded',
    });
  });

  test('takes a restart for done when the unit is in another run than before', () => {
    const items = [itemOf(1, 'acting', { from: NEW, run: 'first' })];
    const rollout = rolloutOf(1, {}, { kind: 'restart', items });
    expect(next(rollout, observed([seenOf({ wanted: NEW, run: 'first' })]), 0).steps[0]!.action).toBe(
      'restart',
    );
    expect(next(rollout, observed([seenOf({ wanted: NEW, run: 'second' })]), 0).rollout.items[0]!.state).toBe(
      'returning',
    );
  });

  test('does not begin while a machine is silent', () => {
    const silent = seenOf({ health: { verdict: 'unknown', why: '' }, goodSince: null });
    const after = next(rolloutOf(2, {}, { state: 'checking' }), observed([seenOf(), silent]), 0);
    expect(after.rollout).toMatchObject({
      state: 'halted',
      reason: 'the machines of web@2.service do not answer',
    });
  });
});

describe('batches', () => {
  test.each([
    [{}, [[0], [1], [2], [3], [4]]],
    [{ maxUnavailable: { count: 2 } }, [[0, 1], [2, 3], [4]]],
    [{ maxUnavailable: { percent: 50 }, canary: 1 }, [[0], [1, 2], [3, 4]]],
    [{ maxUnavailable: { percent: 100 } }, [[0, 1, 2, 3, 4]]],
  ])('of %j', (budget, expected) => {
    expect(batches(rolloutOf(5, budget), observed(Array(5).fill(seenOf())))).toEqual(expected);
  });
});

describe('what a person can do', () => {
  const done = rolloutOf(1, {}, { state: 'done', items: [itemOf(1, 'healthy')] });
  test.each([
    [
      'resume of what is done',
      () => resume(done),
      'rollout 7 is done: there is nothing to resume; nothing was changed',
    ],
    [
      'pause of what is done',
      () => pause(done),
      'rollout 7 is done: there is nothing to pause; nothing was changed',
    ],
    [
      'abort of what is done',
      () => abort(done),
      'rollout 7 is done: there is nothing to abort; nothing was changed',
    ],
    [
      'rollback before anything',
      () => rollback(rolloutOf(1)),
      'rollout 7 has changed nothing that could be brought back; nothing was changed',
    ],
    [
      'rollback of a restart',
      () => rollback({ ...done, kind: 'restart' }),
      'rollout 7 is a restart: it has no former file to go back to; nothing was changed',
    ],
    [
      'rollback twice',
      () => rollback({ ...done, back: true, state: 'rolled-back' }),
      'rollout 7 is rolled back already; nothing was changed',
    ],
    [
      'pause twice',
      () => pause(rolloutOf(1, {}, { state: 'paused' })),
      'rollout 7 is paused already; nothing was changed',
    ],
  ])('%s is refused', (_, work, message) => {
    expect(codeOf(work)).toBe(`rollout-state: ${message}`);
  });

  test('a rollout that is done can be brought back, in the same batches', () => {
    const back = rollback(done);
    const step = next(back, observed([seenOf({ wanted: NEW })]), 0).steps[0]!;
    expect(step).toMatchObject({ action: 'switch', version: OLD });
  });

  test('what was not there before is removed on the way back', () => {
    const fresh = { ...done, items: [itemOf(1, 'healthy', { from: null })] };
    expect(next(rollback(fresh), observed([seenOf({ wanted: NEW })]), 0).steps[0]!.action).toBe('remove');
  });

  test('resume tries again what failed', () => {
    const halted = rolloutOf(
      2,
      {},
      { state: 'halted', items: [itemOf(1, 'failed', { wasHealthy: true }), itemOf(2)] },
    );
    expect(resume(halted)).toMatchObject({
      state: 'running',
      items: [{ state: 'waiting', again: true }, { state: 'waiting' }],
    });
  });
});

describe('limits', () => {
  test.each([['0'], ['0%'], ['-1'], ['101%'], ['two'], ['1.5'], ['']])('%j is refused', (text) => {
    expect(codeOf(() => parseLimit(text))).toMatch(/^bad-budget: /);
  });
  test('numbers and percentages', () => {
    expect([parseLimit('2'), parseLimit('25%')]).toEqual([{ count: 2 }, { percent: 25 }]);
  });
});

describe('who holds a unit', () => {
  test('only a rollout that is not at its end, and only what it touches', () => {
    const mine = { ...rolloutOf(2), id: '8' };
    expect(holderOf(mine, [rolloutOf(1)])).toMatchObject({
      what: 'unit web@1.service',
      rollout: { id: '7' },
    });
    for (const state of ['halted', 'done', 'rolled-back', 'aborted'] as const)
      expect(holderOf(mine, [rolloutOf(1, {}, { state })])).toBeNull();
    expect(holderOf(mine, [rolloutOf(1, {}, { items: [itemOf(3)] })])).toBeNull();
  });
  test('two changes of one machine', () => {
    const drain = {
      kind: 'drain' as const,
      items: [itemOf(1, 'waiting', { machine: '4f1c2d3e99', unit: '' })],
    };
    expect(overlap(drain, { ...drain, kind: 'reboot' })).toBe('machine 4f1c2d3e');
  });
});

describe('health', () => {
  const facts = {
    wanted: NEW,
    installed: 'new',
    active: 'active',
    sub: 'running',
    restarts: 0,
    endsByItself: false,
    checks: [],
  };
  test.each([
    [{}, 'good'],
    [{ restarts: 1 }, 'sick'],
    [{ active: 'activating', sub: 'auto-restart' }, 'sick'],
    [{ active: 'activating', sub: 'start' }, 'starting'],
    [{ active: 'failed', sub: 'failed' }, 'sick'],
    [{ active: 'inactive', sub: 'dead' }, 'sick'],
    [{ active: 'inactive', sub: 'dead', endsByItself: true }, 'good'],
    [{ installed: 'old' }, 'starting'],
    [{ installed: undefined }, 'unknown'],
    [{ checks: [{ ok: false, text: 'health check answers 500' }] }, 'starting'],
    [{ wanted: { hash: 'new', desired: 'loaded' as const }, active: 'inactive' }, 'good'],
    [{ wanted: null, installed: null }, 'good'],
    [{ wanted: null }, 'starting'],
  ])('%j is %s', (more, verdict) => {
    expect(judge({ ...facts, ...more }).verdict).toBe(verdict);
    expect(GOOD.verdict).toBe('good');
  });
});
