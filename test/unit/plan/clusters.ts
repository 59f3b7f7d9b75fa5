import fc from 'fast-check';
import {
  type ClusterState,
  decide,
  type MachineView,
  type Snapshot,
  type UnitEntry,
  UnitFacts,
  type UnitView,
} from '../../../src/lib/plan/index.ts';

const NAMES = ['a', 'b', 'c', 'd', 'w@1', 'w@2', 'w@3', 'x@1', 'x@2'].map((n) => `${n}.service`);
const GLOBS = ['w@*.service', 'x@?.service', 'a.service', 'c.service', '*.service', 'w@1.service'];
const IDS = ['M1', 'M2', 'M3', 'M4'];

const machineArb: fc.Arbitrary<MachineView> = fc.record({
  id: fc.constantFrom(...IDS),
  metadata: fc.constantFrom<Record<string, string>>({}, { d: 'ssd' }, { d: 'hdd', z: '1' }),
  facts: fc.record(
    { memory: fc.constantFrom(1, 2).map((gigabytes) => gigabytes * 2 ** 30), cpus: fc.constantFrom(1, 2) },
    { requiredKeys: [] },
  ),
  cordoned: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
  unreachable: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});

/** Only combinations that fleet's validity rules allow. */
const sectionArb = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 3, arbitrary: fc.subarray(GLOBS, { minLength: 1, maxLength: 2 }).map(lines('Conflicts')) },
  { weight: 4, arbitrary: fc.subarray(NAMES, { minLength: 1, maxLength: 2 }).map(lines('MachineOf')) },
  {
    weight: 3,
    arbitrary: fc.subarray(GLOBS.slice(0, 4), { minLength: 1, maxLength: 1 }).map(lines('Replaces')),
  },
  { weight: 1, arbitrary: fc.constantFrom(...IDS).map((id) => `MachineID=${id}\n`) },
  { weight: 2, arbitrary: fc.constantFrom('ssd', 'hdd').map((v) => `MachineMetadata=d=${v}\n`) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.subarray(GLOBS, { maxLength: 1 }), fc.constantFrom('', 'MachineMetadata=d=ssd\n'))
      .map(([globs, metadata]) => `Global=true\n${lines('Conflicts')(globs)}${metadata}`),
  },
);

/** What units ask for besides: mostly nothing. */
const asksArb = fc
  .record({
    MaxPerMachine: rarely('1', '2'),
    Ports: rarely('80', '80-81', '81'),
    Memory: rarely('500M', '700M', '1500M'),
    Cpu: rarely('500m', '1', '2'),
    Spread: rarely('d', 'z'),
    Prefer: rarely('d=ssd', 'z=1'),
  })
  .map((asks) =>
    Object.entries(asks)
      .map(([key, value]) => (value === null ? '' : `${key}=${value}\n`))
      .join(''),
  );

function rarely(...values: readonly string[]): fc.Arbitrary<string | null> {
  return fc.integer({ min: 0, max: 3 * values.length }).map((at) => values[at] ?? null);
}

function lines(key: string) {
  return (values: readonly string[]): string => values.map((value) => `${key}=${value}\n`).join('');
}

const unitArb: fc.Arbitrary<UnitView> = fc
  .record({
    name: fc.constantFrom(...NAMES),
    section: fc.tuple(sectionArb, asksArb).map((parts) => parts.join('')),
    desired: fc.constantFrom(
      'launched' as const,
      'launched' as const,
      'loaded' as const,
      'inactive' as const,
    ),
    machine: fc.option(fc.constantFrom(...IDS, 'gone')),
  })
  .map(({ name, section, desired, machine }) => ({
    name,
    file: section === '' ? '' : `[X-Fleet]\n${section}`,
    desired,
    machine: section.includes('Global') ? null : machine,
  }));

/** Small clusters in which rules meet often: few names, few machines, every kind of [X-Fleet] section. */
export const snapshots: fc.Arbitrary<Snapshot> = fc.record({
  machines: fc.uniqueArray(machineArb, { selector: (m) => m.id, maxLength: 4 }),
  units: fc.uniqueArray(unitArb, { selector: (u) => u.name, maxLength: 9 }),
});

/** The snapshot as it is recorded, with every unit where the rules want it. */
export function settled(snapshot: Snapshot): ClusterState {
  const facts = new UnitFacts();
  const files = new Map(snapshot.units.map(({ name, file }) => [facts.of(name, file).hash, file]));
  const units = snapshot.units.map(({ name, file, desired, machine }): [string, UnitEntry] => {
    return [name, { v: 1, name, hash: facts.of(name, file).hash, desired, machine }];
  });
  const machines = new Map(snapshot.machines.map((machine) => [machine.id, machine]));
  const state = { machines, units: new Map(units), files };
  return { ...state, units: decide(state).units };
}
