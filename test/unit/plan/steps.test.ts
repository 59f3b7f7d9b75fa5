import { describe, expect, test } from 'vitest';
import { type Assignment, type Observation, type StepOptions, steps } from '../../../src/lib/plan/index.ts';

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

  test('gives no step to a machine that is skipped', () => {
    expect(steps([want('a.service')], [], { skip: new Set(['A']) })).toEqual([]);
  });
});

const ONESHOT = '[Service]\nType=oneshot\nExecStart=/bin/true\n';
const files = new Map([
  ['h1', '[Service]\nExecStart=/bin/sleep infinity\n'],
  ['once', ONESHOT],
  ['stays', `${ONESHOT}RemainAfterExit=yes\n`],
]);
const asked = new Set(['a.service']);

/** What happens to a unit in each of systemd's states: alone, asked for, asked for and waited for. */
describe('steps of one unit that is installed as it should be', () => {
  test.each<[string, string, 'launched' | 'loaded', string, string, string, string]>([
    ['active', 'running', 'launched', 'h1', '', '', ''],
    ['reloading', '', 'launched', 'h1', '', '', ''],
    ['refreshing', '', 'launched', 'h1', '', '', ''],
    ['activating', 'start', 'launched', 'h1', '', '', 'start'],
    ['activating', 'auto-restart', 'launched', 'h1', '', '', 'stop start'],
    ['activating', 'auto-restart-queued', 'launched', 'h1', '', '', 'stop start'],
    ['deactivating', '', 'launched', 'h1', 'start', 'start', 'start'],
    ['inactive', 'dead', 'launched', 'h1', 'start', 'start', 'start'],
    ['failed', 'failed', 'launched', 'h1', 'start', 'start', 'start'],
    ['inactive', 'dead', 'launched', 'once', '', 'start', 'start'],
    ['failed', 'failed', 'launched', 'once', 'start', 'start', 'start'],
    ['activating', 'start', 'launched', 'once', '', '', 'start'],
    ['inactive', 'dead', 'launched', 'stays', 'start', 'start', 'start'],
    ['active', 'exited', 'launched', 'stays', '', '', ''],
    ['active', 'running', 'loaded', 'h1', 'stop', 'stop', 'stop'],
    ['activating', 'start', 'loaded', 'h1', 'stop', 'stop', 'stop'],
    ['deactivating', '', 'loaded', 'h1', '', '', ''],
    ['inactive', 'dead', 'loaded', 'h1', '', '', ''],
    ['failed', 'failed', 'loaded', 'h1', '', '', ''],
  ])('%s (%s), wanted %s, file %s', (active, sub, desired, hash, alone, wished, waited) => {
    const actions = (options: StepOptions): string =>
      steps([want('a.service', desired, hash)], [{ ...seen('a.service', active, hash), sub }], {
        files,
        ...options,
      })
        .map(({ action }) => action)
        .join(' ');
    expect(actions({})).toBe(alone);
    expect(actions({ join: true })).toBe(alone);
    expect(actions({ asked })).toBe(wished);
    expect(actions({ asked, join: true })).toBe(waited);
  });
});

describe('why', () => {
  const why = (): string => 'as decided';
  const reason = (assignments: Assignment[], observations: Observation[], options: StepOptions = {}) =>
    steps(assignments, observations, options).find(({ action }) => action !== 'reload')?.reason;
  const changed = [want('a.service', 'launched', 'abcdef0123')];

  test.each<[string, Assignment[], Observation[], string, string]>([
    ['new', [want('a.service')], [], 'not on this machine yet', 'as decided'],
    ['left over', [], [seen('a.service', 'active')], 'no longer wanted on this machine', 'as decided'],
    [
      'changed',
      changed,
      [seen('a.service', 'active', '0123456789')],
      'content changed from 0123456 to abcdef0',
      'content changed from 0123456 to abcdef0',
    ],
    [
      'file gone',
      [want('a.service')],
      [{ ...seen('a.service', 'inactive'), load: 'not-found' }],
      'its file is not on the machine any more',
      'its file is not on the machine any more',
    ],
    [
      'not running',
      [want('a.service')],
      [seen('a.service', 'failed')],
      'should be launched and is failed',
      'should be launched and is failed',
    ],
    [
      'running',
      [want('a.service', 'loaded')],
      [seen('a.service', 'active')],
      'should be loaded only and is active',
      'should be loaded only and is active',
    ],
  ])('%s', (_title, assignments, observations, alone, decided) => {
    expect(reason(assignments, observations)).toBe(alone);
    expect(reason(assignments, observations, { why })).toBe(decided);
  });

  test('a start that is joined says so', () => {
    const starting = [seen('a.service', 'activating')];
    expect(reason([want('a.service')], starting, { asked, join: true, why })).toBe('it is still starting');
  });

  test('one reload counts the files of its machine', () => {
    const reloads = steps([want('a.service'), want('b.service')], []).filter(
      ({ action }) => action === 'reload',
    );
    expect(reloads).toEqual([{ machine: 'A', action: 'reload', unit: '', reason: '2 unit files changed' }]);
  });
});
