import { describe, expect, test } from 'vitest';
import { unitOfPath, unitPath } from '../../../src/lib/machine/systemd/names.ts';
import { UnitView } from '../../../src/lib/machine/systemd/unit-view.ts';

const MANAGER = { path: '/org/freedesktop/systemd1', interface: 'org.freedesktop.systemd1.Manager' };
const row = (unit: string, active: string, sub = 'x', load = 'loaded') => ({ unit, load, active, sub });
const named = (unit: string, active: string, id = unit) => ({ id, status: row(unit, active) });
const change = (unit: string, active: string, sub = 'x') => ({
  path: unitPath(unit),
  interface: 'org.freedesktop.DBus.Properties',
  member: 'PropertiesChanged',
  body: [
    'org.freedesktop.systemd1.Unit',
    [
      ['ActiveState', [[], [active]]],
      ['SubState', [[], [sub]]],
    ],
    [],
  ],
});
const manager = (member: string, ...body: unknown[]) => ({ ...MANAGER, member, body });

function begun(units: readonly string[] | null, ...rows: ReturnType<typeof named>[]): UnitView {
  const view = new UnitView(units);
  view.replace(rows);
  view.take();
  return view;
}

describe('UnitView', () => {
  test('begins with the state of every unit, and has no news until something changes', () => {
    const view = new UnitView(null);
    expect(view.isStale).toBe(true);
    expect(view.take()).toBeNull();
    view.replace([named('a.service', 'active'), named('b.service', 'inactive')]);
    expect(view.take()).toEqual({
      initial: true,
      states: [row('a.service', 'active'), row('b.service', 'inactive')],
      jobs: [],
      reloaded: false,
    });
    expect(view.take()).toBeNull();
  });

  test('what changes several times is told once, as it is now, with the last job', () => {
    const view = begun(null, named('a.service', 'inactive'));
    view.receive(change('a.service', 'activating'));
    view.receive(change('a.service', 'active'));
    view.receive(manager('JobRemoved', 7, '/j/7', 'a.service', 'canceled'));
    view.receive(manager('JobRemoved', 8, '/j/8', 'a.service', 'done'));
    expect(view.take()).toEqual({
      initial: false,
      states: [row('a.service', 'active')],
      jobs: [{ unit: 'a.service', result: 'done' }],
      reloaded: false,
    });
  });

  test('a signal that changes no state is no news', () => {
    const view = begun(null, named('a.service', 'active'));
    view.receive(change('a.service', 'active'));
    view.receive({ ...change('a.service', 'active'), body: ['x', [['Job', [[], [[0, '/']]]]], []] });
    expect(view.take()).toBeNull();
  });

  test('only the units that were asked for are told, under the name that was asked', () => {
    const view = begun(['alias.service'], named('alias.service', 'inactive', 'real.service'));
    view.receive(change('other.service', 'active'));
    view.receive(manager('JobRemoved', 1, '/j/1', 'other.service', 'done'));
    view.receive(manager('UnitNew', 'other.service', '/p'));
    expect(view.unknown).toEqual([]);
    expect(view.take()).toBeNull();
    view.receive(change('real.service', 'active'));
    expect(view.take()?.states).toEqual([row('alias.service', 'active')]);
  });

  test('a new unit is asked for, and an unloaded one is inactive', () => {
    const view = begun(null, named('a.service', 'failed'));
    view.receive(manager('UnitNew', 'b.service', '/p'));
    view.receive(manager('UnitNew', 'c.service', '/p'));
    view.receive(manager('UnitRemoved', 'a.service', '/p'));
    expect(view.unknown).toEqual(['b.service', 'c.service']);
    view.learn(view.unknown, [row('b.service', 'active')]);
    expect(view.unknown).toEqual([]);
    expect(view.take()?.states).toEqual([row('a.service', 'inactive', 'dead'), row('b.service', 'active')]);
  });

  test('during a reload signals about units say nothing; afterwards all states are asked for', () => {
    const view = begun(null, named('a.service', 'active'), named('b.service', 'active'));
    view.receive(manager('Reloading', true));
    view.receive(manager('UnitRemoved', 'a.service', '/p'));
    view.receive(manager('UnitNew', 'a.service', '/p'));
    expect(view.isStale).toBe(false);
    expect(view.take()).toBeNull();
    view.receive(manager('Reloading', false));
    expect(view.isStale).toBe(true);
    expect(view.unknown).toEqual([]);
    view.replace([named('a.service', 'active')]);
    expect(view.take()).toEqual({
      initial: false,
      states: [row('b.service', 'inactive', 'dead')],
      jobs: [],
      reloaded: true,
    });
  });
});

test.each(['a.service', 'demo@1.service', '9a-b.mount', 'dev-disk-by\\x2did.device', 'ü.service'])(
  'unitOfPath is the inverse of unitPath: %s',
  (unit) => expect(unitOfPath(unitPath(unit))).toBe(unit),
);
