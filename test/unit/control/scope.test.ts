import { describe, expect, test } from 'vitest';
import {
  joinScopes,
  type Scope,
  scopeOfAll,
  scopeOfGlobals,
  scopeOfLeaving,
  scopeOfUnits,
} from '../../../src/lib/control/units/scope.ts';
import { type Desired, decide, type Intent } from '../../../src/lib/plan/index.ts';
import type { MachineRecord, RegistryState } from '../../../src/lib/registry/index.ts';

const FILES = { plain: '[Service]\nExecStart=/bin/true\n', global: '[X-Fleet]\nGlobal=true\n' };

const record = (id: string): MachineRecord => ({
  v: 1,
  id,
  target: { address: id, port: 22, user: 'root' },
  facts: {
    machineId: id,
    bootId: '',
    hostname: id,
    os: '',
    systemd: 252,
    kernel: '',
    architecture: 'x86_64',
    sudo: 'root',
  },
  metadata: {},
});

type Placed = readonly [unit: string, machine: string | null, hash?: keyof typeof FILES, desired?: Desired];

function state(ids: string, units: readonly Placed[]): RegistryState {
  return {
    machines: new Map([...ids].map((id) => [id, record(id)])),
    units: new Map(
      units.map(([unit, machine, hash = 'plain', desired = 'launched']) => {
        const name = `${unit}.service`;
        return [name, { v: 1, name, hash, desired, machine }];
      }),
    ),
    files: new Map(Object.entries(FILES)),
    leaving: new Map(),
    unreadable: new Set(),
    problems: [],
    identity: { id: null, generation: 0, marks: '' },
    moved: null,
    revisions: new Map(),
    revision: 0,
  };
}

const want = (
  unit: string,
  desired: Desired | null,
  hash: keyof typeof FILES = 'plain',
): Intent<MachineRecord> => ({
  units: new Map([[`${unit}.service`, desired === null ? null : { hash, desired }]]),
});
const without = (...ids: string[]): Intent<MachineRecord> => ({
  machines: new Map(ids.map((id) => [id, null])),
});
const withNew = (id: string): Intent<MachineRecord> => ({ machines: new Map([[id, record(id)]]) });

/** `A(a,b) B(+)`: machines and units, `+` for everything that is there. */
function shown(scope: Scope): string {
  const parts = [...scope.values()].map(({ machine, units, everything }) => {
    const names = [...units].map((unit) => unit.replace('.service', '')).sort();
    return `${machine.id}(${[...names, ...(everything ? ['+'] : [])].join(',')})`;
  });
  return parts.sort().join(' ');
}

/** Scopes as the verbs make them. */
const verbs = {
  units: (before: RegistryState, intent: Intent<MachineRecord>) => {
    const after = decide(before, intent);
    return scopeOfUnits(before, after, new Set([...(intent.units?.keys() ?? []), ...after.changed]));
  },
  machines: (before: RegistryState, intent: Intent<MachineRecord>) => {
    const after = decide(before, intent);
    const ids = [...(intent.machines?.keys() ?? [])];
    return joinScopes(scopeOfGlobals(before, after, ids), scopeOfUnits(before, after, after.changed));
  },
  remove: (before: RegistryState, intent: Intent<MachineRecord>) => {
    const after = decide(before, intent);
    const gone = [...(intent.machines?.keys() ?? [])].map((id) =>
      scopeOfLeaving(before.machines.get(id) as MachineRecord),
    );
    return joinScopes(...gone, scopeOfUnits(before, after, after.changed));
  },
  all: (before: RegistryState, intent: Intent<MachineRecord>) => scopeOfAll(before, decide(before, intent)),
  onA: (before: RegistryState, intent: Intent<MachineRecord>) =>
    scopeOfAll(before, decide(before, intent), 'A'),
};

const abc = state('ABC', [
  ['a', 'A'],
  ['b', 'B'],
]);
const withGlobal = state('AB', [
  ['a', 'A'],
  ['g', null, 'global'],
]);
const gone = state('AB', [['a', 'Z']]);

describe('which machines are asked, and about which units', () => {
  test.each<[string, keyof typeof verbs, RegistryState, Intent<MachineRecord>, string]>([
    ['start a new unit', 'units', abc, want('c', 'launched'), 'C(c)'],
    ['start what is placed', 'units', abc, want('a', 'launched'), 'A(a)'],
    ['stop', 'units', abc, want('a', 'loaded'), 'A(a)'],
    ['unload', 'units', abc, want('a', 'inactive'), 'A(a)'],
    ['destroy', 'units', abc, want('a', null), 'A(a)'],
    ['start a global unit', 'units', abc, want('g', 'launched', 'global'), 'A(g) B(g) C(g)'],
    ['unload a global unit', 'units', withGlobal, want('g', 'inactive', 'global'), 'A(g) B(g)'],
    ['destroy a global unit', 'units', withGlobal, want('g', null), 'A(g) B(g)'],
    ['a unit that is global no more', 'units', withGlobal, want('g', 'launched', 'plain'), 'A(g) B(g)'],
    ['a unit whose machine is unknown', 'units', gone, want('a', 'launched'), 'A(a)'],
    ['start where there is no machine', 'units', state('', []), want('a', 'launched'), ''],

    ['machine add', 'machines', abc, withNew('D'), ''],
    ['machine add, with a global unit', 'machines', withGlobal, withNew('C'), 'C(g)'],
    ['machine add, with a unit that waited', 'machines', state('', [['a', null]]), withNew('A'), 'A(a)'],
    ['set-metadata without consequences', 'machines', withGlobal, withNew('A'), 'A(g)'],

    ['machine rm, idle', 'remove', abc, without('C'), 'C(+)'],
    ['machine rm --force', 'remove', abc, without('A'), 'A(+) C(a)'],
    ['machine rm, a global unit elsewhere is not asked about', 'remove', withGlobal, without('B'), 'B(+)'],
    ['lab down: what leaves is not asked', 'units', abc, without('A', 'B'), 'C(a,b)'],

    ['reconcile', 'all', withGlobal, {}, 'A(a,g,+) B(g,+)'],
    ['reconcile: an idle machine may have leftovers', 'all', abc, {}, 'A(a,+) B(b,+) C(+)'],
    ['reconcile of one machine', 'onA', withGlobal, {}, 'A(a,g,+)'],
    ['reconcile of one machine, with a unit elsewhere', 'onA', abc, {}, 'A(a,+)'],
  ])('%s', (_title, verb, before, intent, scope) => {
    expect(shown(verbs[verb](before, intent))).toBe(scope);
  });

  test('joined scopes keep the units of each, and everything of one is everything', () => {
    const after = decide(abc);
    const a = scopeOfUnits(abc, after, new Set(['a.service']));
    expect(
      shown(joinScopes(a, scopeOfLeaving(record('A')), scopeOfUnits(abc, after, new Set(['b.service'])))),
    ).toBe('A(a,+) B(b)');
    expect(shown(joinScopes())).toBe('');
  });
});
