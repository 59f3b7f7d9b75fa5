import { describe, expect, test } from 'vitest';
import { type Assignment, type Observation, steps } from '../../../src/lib/plan/index.ts';

const want = (unit: string, desired: 'loaded' | 'launched' = 'launched', hash = 'h1', machine = 'A') =>
  ({ machine, unit, desired, hash }) satisfies Assignment;
const seen = (unit: string, active: string, hash: string | null = 'h1', machine = 'A') =>
  ({ machine, unit, hash, active, sub: '', load: 'loaded' }) satisfies Observation;

const short = (assignments: Assignment[], observations: Observation[]): string =>
  steps(assignments, observations)
    .map(({ machine, action, unit }) => `${machine}:${action}${unit === '' ? '' : ` ${unit}`}`)
    .join(', ');

describe('steps', () => {
  test.each([
    ['nothing at all', [], [], ''],
    ['new and launched', [want('a.service')], [], 'A:install a.service, A:reload, A:start a.service'],
    ['new and loaded', [want('a.service', 'loaded')], [], 'A:install a.service, A:reload'],
    ['launched and active', [want('a.service')], [seen('a.service', 'active')], ''],
    ['launched and starting', [want('a.service')], [seen('a.service', 'activating')], ''],
    ['launched and inactive', [want('a.service')], [seen('a.service', 'inactive')], 'A:start a.service'],
    ['launched and failed', [want('a.service')], [seen('a.service', 'failed')], 'A:start a.service'],
    ['loaded and active', [want('a.service', 'loaded')], [seen('a.service', 'active')], 'A:stop a.service'],
    ['loaded and failed', [want('a.service', 'loaded')], [seen('a.service', 'failed')], ''],
    [
      'changed and running',
      [want('a.service', 'launched', 'h2')],
      [seen('a.service', 'active')],
      'A:stop a.service, A:install a.service, A:reload, A:start a.service',
    ],
    [
      'changed and not running',
      [want('a.service', 'loaded', 'h2')],
      [seen('a.service', 'inactive')],
      'A:install a.service, A:reload',
    ],
    ['left over', [], [seen('a.service', 'active')], 'A:stop a.service, A:remove a.service, A:reload'],
    ['left over and dead', [], [seen('a.service', 'failed')], 'A:remove a.service, A:reload'],
    [
      'left over, still stopping',
      [],
      [seen('a.service', 'deactivating')],
      'A:stop a.service, A:remove a.service, A:reload',
    ],
    ['not ours and not wanted', [], [seen('a.service', 'active', null)], ''],
    [
      'not ours and wanted',
      [want('a.service')],
      [seen('a.service', 'active', null)],
      'A:install a.service, A:reload, A:start a.service',
    ],
    [
      'file gone',
      [want('a.service')],
      [{ ...seen('a.service', 'inactive'), load: 'not-found' }],
      'A:install a.service, A:reload, A:start a.service',
    ],
  ])('%s', (_title, assignments, observations, steps) => {
    expect(short(assignments, observations)).toBe(steps);
  });

  test('orders the steps of a machine by kind, one reload, machines by id', () => {
    const assignments = [want('z.service'), want('b.service'), want('c.service', 'launched', 'h1', 'B')];
    const observations = [seen('y.service', 'active'), seen('x.service', 'active')];
    expect(short(assignments, observations)).toBe(
      'A:stop x.service, A:stop y.service, A:remove x.service, A:remove y.service, A:install b.service, ' +
        'A:install z.service, A:reload, A:start b.service, A:start z.service, ' +
        'B:install c.service, B:reload, B:start c.service',
    );
  });

  test('gives no step to a machine that is to be skipped', () => {
    expect(steps([want('a.service')], [], { skip: new Set(['A']) })).toEqual([]);
  });

  test('says why in words', () => {
    const [stop] = steps(
      [want('a.service', 'launched', 'abcdef0123')],
      [seen('a.service', 'active', '0123456789')],
    );
    expect(stop?.reason).toBe('content changed from 0123456 to abcdef0');
    const [start] = steps([want('a.service')], [seen('a.service', 'failed')]);
    expect(start?.reason).toBe('should be launched and is failed');
    const [install, reload] = steps([want('a.service')], [], { why: () => 'moves from B' });
    expect([install?.reason, reload?.reason]).toEqual(['moves from B', '1 unit file changed']);
  });
});
