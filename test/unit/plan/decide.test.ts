import { describe, expect, test } from 'vitest';
import {
  type ClusterState,
  type Decision,
  type Desired,
  decide,
  type Intent,
  installedOn,
  type Known,
  type MachineView,
  type UnitEntry,
} from '../../../src/lib/plan/index.ts';

type State = ClusterState<MachineView>;

const FILES: Readonly<Record<string, string>> = {
  plain: '[Service]\nExecStart=/bin/true\n',
  global: '[X-Fleet]\nGlobal=true\n',
  ssd: '[X-Fleet]\nMachineMetadata=disk=ssd\n',
  besideA: '[X-Fleet]\nMachineOf=a.service\n',
  notA: '[X-Fleet]\nConflicts=a.service\n',
};

const entry = (
  name: string,
  machine: string | null,
  hash = 'plain',
  desired: Desired = 'launched',
): UnitEntry => ({
  v: 1,
  name: `${name}.service`,
  hash,
  desired,
  machine,
});

function state(
  units: readonly UnitEntry[],
  machines: readonly (string | MachineView)[] = ['A', 'B', 'C'],
): State {
  const views = machines.map((item) => (typeof item === 'string' ? { id: item, metadata: {} } : item));
  return {
    machines: new Map(views.map((machine) => [machine.id, machine])),
    units: new Map(units.map((unit) => [unit.name, unit])),
    files: new Map(Object.entries(FILES)),
  };
}

const want = (name: string, desired: Desired = 'launched', hash = 'plain'): Intent => ({
  units: new Map([[`${name}.service`, { hash, desired }]]),
});
const destroyed = (name: string): Intent => ({ units: new Map([[`${name}.service`, null]]) });
const removed = (id: string): Intent<MachineView> => ({ machines: new Map([[id, null]]) });
const added = (id: string, metadata: Record<string, string> = {}): Intent<MachineView> => ({
  machines: new Map([[id, { id, metadata }]]),
});
const away = (...ids: string[]): Known => ({ away: new Set(ids) });

/** `a:A` assigned, `a:-` wanted and refused; a global unit once for each machine. */
function where({ assignments, result }: Decision): string {
  const on = assignments.map(({ unit, machine }) => `${unit.replace('.service', '')}:${machine}`);
  const off = result.refusals.map(({ unit }) => `${unit.replace('.service', '')}:-`);
  return [...on, ...off].sort().join(' ');
}

/** `a launched A`, what is recorded of each unit that changes; `a gone` where the record goes. */
function recorded({ change }: Decision): string {
  const lines = [...change.units].map(([name, unit]) => {
    const short = name.replace('.service', '');
    return unit === null ? `${short} gone` : `${short} ${unit.desired} ${unit.machine ?? '-'}`;
  });
  return lines.sort().join(', ');
}

const two = [entry('a', 'A'), entry('b', 'B')];

describe('decide: where, what is recorded, which machines were chosen', () => {
  test.each<[string, State, Intent<MachineView>, Known, string, string, string]>([
    ['nothing known, nothing wanted', state([]), {}, {}, '', '', ''],
    ['a new unit', state([]), want('a'), {}, 'a:A', 'a launched A', 'A'],
    ['a new unit, loaded', state([]), want('a', 'loaded'), {}, 'a:A', 'a loaded A', 'A'],
    ['a new unit, only known', state([]), want('a', 'inactive'), {}, '', 'a inactive -', ''],
    ['no machine at all', state([], []), want('a'), {}, 'a:-', 'a launched -', ''],
    ['nothing to change', state(two), {}, {}, 'a:A b:B', '', ''],
    ['the same again', state(two), want('a'), {}, 'a:A b:B', 'a launched A', ''],
    ['stop', state(two), want('a', 'loaded'), {}, 'a:A b:B', 'a loaded A', ''],
    ['unload', state(two), want('a', 'inactive'), {}, 'b:B', 'a inactive -', ''],
    ['destroy', state(two), destroyed('a'), {}, 'b:B', 'a gone', ''],

    ['a new unit, the first choice is away', state([]), want('a'), away('A'), 'a:B', 'a launched B', 'B'],
    ['a new unit, all are away', state([]), want('a'), away('A', 'B', 'C'), 'a:-', 'a launched -', ''],
    [
      'a placed unit stays on a machine that is away',
      state(two),
      want('a'),
      away('A'),
      'a:A b:B',
      'a launched A',
      '',
    ],
    [
      'stop on a machine that is away',
      state(two),
      want('a', 'loaded'),
      away('A'),
      'a:A b:B',
      'a loaded A',
      '',
    ],
    [
      'unload on a machine that is away',
      state(two),
      want('a', 'inactive'),
      away('A'),
      'b:B',
      'a inactive -',
      '',
    ],
    ['destroy on a machine that is away', state(two), destroyed('a'), away('A'), 'b:B', 'a gone', ''],
    [
      'nothing moves by itself from a machine that is away',
      state(two),
      {},
      away('A', 'B'),
      'a:A b:B',
      '',
      '',
    ],
    [
      'a unit of an earlier run that found no machine',
      state([entry('a', null)]),
      {},
      away('A'),
      'a:B',
      'a launched B',
      'B',
    ],

    [
      'a follower goes to its leader',
      state(two),
      want('f', 'launched', 'besideA'),
      {},
      'a:A b:B f:A',
      'f launched A',
      'A',
    ],
    [
      'a follower of a leader that is away',
      state(two),
      want('f', 'launched', 'besideA'),
      away('A'),
      'a:A b:B f:-',
      'f launched -',
      '',
    ],
    [
      'a conflict keeps away from a machine, up or not',
      state([entry('a', 'A')], ['A', 'B']),
      want('x', 'launched', 'notA'),
      away('B'),
      'a:A x:-',
      'x launched -',
      '',
    ],
    [
      'what waited for a place gets it',
      state([entry('a', 'A'), entry('x', null, 'notA')], ['A']),
      want('a', 'inactive'),
      {},
      'x:A',
      'a inactive -, x launched A',
      'A',
    ],

    [
      'a global unit is everywhere, up or not',
      state([]),
      want('g', 'launched', 'global'),
      away('B'),
      'g:A g:B g:C',
      'g launched -',
      '',
    ],
    ['a machine joins', state([entry('g', null, 'global')], ['A']), added('B'), {}, 'g:A g:B', '', ''],
    [
      'a machine leaves: its units move',
      state(two, ['A', 'B']),
      removed('A'),
      {},
      'a:B b:B',
      'a launched B',
      'B',
    ],
    [
      'a machine leaves, the next is away',
      state(two, ['A', 'B', 'C']),
      removed('A'),
      away('C'),
      'a:B b:B',
      'a launched B',
      'B',
    ],
    ['the last machine leaves', state([entry('a', 'A')], ['A']), removed('A'), {}, 'a:-', 'a launched -', ''],
    [
      'metadata comes: what waited for it is placed',
      state([entry('s', null, 'ssd')], ['A']),
      added('A', { disk: 'ssd' }),
      {},
      's:A',
      's launched A',
      'A',
    ],
    [
      'metadata goes: what needs it is moved',
      state(
        [entry('s', 'A', 'ssd')],
        [
          { id: 'A', metadata: { disk: 'ssd' } },
          { id: 'B', metadata: { disk: 'ssd' } },
        ],
      ),
      added('A'),
      {},
      's:B',
      's launched B',
      'B',
    ],
  ])('%s', (_title, before, intent, known, places, records, chosen) => {
    const decision = decide(before, intent, known);
    expect(where(decision)).toBe(places);
    expect(recorded(decision)).toBe(records);
    expect([...decision.chosen].sort().join(' ')).toBe(chosen);
  });

  test('recording a decision leaves nothing to decide', () => {
    const first = decide(
      state([entry('a', null), entry('b', null), entry('f', null, 'besideA')]),
      {},
      away('A'),
    );
    const again = decide({ ...first }, {}, away('A'));
    expect(where(again)).toBe(where(first));
    expect(recorded(again)).toBe('');
    expect(again.chosen.size).toBe(0);
  });

  test('without an intent the state is handed on, not copied', () => {
    const before = state(two);
    const decision = decide(before);
    expect(decision.machines).toBe(before.machines);
    expect(decision.files).toBe(before.files);
  });

  test('only what an intent names beside units is part of the change', () => {
    expect(Object.keys(decide(state(two), want('a')).change)).toEqual(['units']);
    expect(Object.keys(decide(state(two), added('D')).change)).toEqual(['units', 'machines']);
  });
});

describe('decide: why', () => {
  const moved = decide(state(two, ['A', 'B']), removed('A'));
  const refused = decide(state([entry('s', 'A', 'ssd')], ['A']));
  const global = decide(state([entry('g', null, 'global')], ['A']));
  const onlySsd = { ...FILES, gs: '[X-Fleet]\nGlobal=true\nMachineMetadata=disk=ssd\n' };
  const narrow = decide({
    ...state([entry('g', null, 'gs')], ['A']),
    files: new Map(Object.entries(onlySsd)),
  });

  test.each([
    ['new', decide(state([]), want('a')), 'A', 'a', 'least loaded machine'],
    ['where it was', decide(state(two)), 'A', 'a', undefined],
    ['moved, where it comes', moved, 'B', 'a', 'machine A went away; least loaded machine'],
    ['moved, where it goes', moved, 'A', 'a', 'moves to B: machine A went away; least loaded machine'],
    ['inactive', decide(state(two), want('a', 'inactive')), 'A', 'a', 'should be inactive'],
    ['destroyed', decide(state(two), destroyed('a')), 'A', 'a', undefined],
    [
      'refused',
      refused,
      'A',
      's',
      'can no longer run here: MachineMetadata wants disk=ssd; this machine has no disk',
    ],
    ['global', global, 'A', 'g', 'global unit'],
    ['global, not here any more', narrow, 'A', 'g', 'global unit that may not run here any more'],
    ['never heard of', global, 'A', 'x', undefined],
  ])('%s', (_title, decision, machine, unit, reason) => {
    expect(decision.why(machine, `${unit}.service`)).toBe(reason);
  });

  test('a machine that is away is the reason of a refusal', () => {
    const { refusals } = decide(state([], ['A', 'B']), want('a'), away('A', 'B')).result;
    expect(refusals.map(({ unit, reasons }) => [unit, ...reasons.map(({ rule }) => rule)])).toEqual([
      ['a.service', 'unreachable', 'unreachable'],
    ]);
  });
});

describe('what is installed already', () => {
  const seen = (unit: string, machine: string, hash: string | null) =>
    ({ unit, machine, hash, active: 'active', sub: 'running', load: 'loaded' }) as const;

  test('is listed by unit, without what we did not install', () => {
    const found = installedOn([
      seen('g.service', 'A', 'x'),
      seen('g.service', 'B', 'x'),
      seen('h.service', 'A', null),
    ]);
    expect([...found]).toEqual([['g.service', ['A', 'B']]]);
  });

  test('keeps a global unit on a cordoned machine', () => {
    const cordoned = state([entry('g', null, 'global')], [{ id: 'C', metadata: {}, cordoned: true }]);
    expect(where(decide(cordoned))).toBe('');
    expect(where(decide(cordoned, {}, { installed: installedOn([seen('g.service', 'C', 'x')]) }))).toBe(
      'g:C',
    );
  });
});

describe('a global unit with another file on some machines', () => {
  const mixed: UnitEntry = { ...entry('g', null, 'global'), hashes: { B: 'other' } };
  const mixedState = (): State => {
    const made = state([mixed]);
    return { ...made, files: new Map([...made.files, ['other', '[X-Fleet]\nGlobal=true\n# other\n']]) };
  };
  const files = ({ assignments }: Decision): string =>
    assignments.map(({ machine, hash }) => `${machine}=${hash}`).join(' ');

  test('is assigned to each machine with its own', () => {
    expect(files(decide(mixedState()))).toBe('A=global B=other C=global');
  });

  test.each([
    ['the same file, wanted otherwise', { hash: 'global', desired: 'loaded' }, 'A=global B=other C=global'],
    ['another file', { hash: 'other', desired: 'launched' }, 'A=other B=other C=other'],
    [
      'the same file everywhere',
      { hash: 'global', desired: 'launched', hashes: {} },
      'A=global B=global C=global',
    ],
    [
      'another machine as well',
      { hash: 'global', desired: 'launched', hashes: { C: 'other', B: 'other' } },
      'A=global B=other C=other',
    ],
  ] as const)('after a wish for %s', (_, wish, expected) => {
    const decision = decide(mixedState(), { units: new Map([['g.service', wish]]) });
    expect(files(decision)).toBe(expected);
    const { hashes } = decision.change.units.get('g.service')!;
    expect(Object.values(hashes ?? { none: 'x' })).not.toContain(wish.hash);
  });
});
