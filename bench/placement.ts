import { pathToFileURL } from 'node:url';
import { type MachineView, place, type UnitView } from '../src/lib/plan/index.ts';

export interface PlacementFigure {
  readonly units: number;
  readonly machines: number;
  readonly ms: number;
  readonly rssMb: number;
}

const UNITS_PER_MACHINE = 20;
const INSTANCES = 10;
const SERVICE = '[Service]\nExecStart=/bin/sleep infinity\n';

/** Places generated units, a tenth of them with Conflicts, MachineOf or metadata, and measures each size. */
export function benchPlacement(sizes: readonly number[]): PlacementFigure[] {
  return sizes.map((units) => {
    const snapshot = { machines: machinesFor(units), units: unitsFor(units) };
    const start = performance.now();
    const result = place(snapshot);
    const ms = performance.now() - start;
    if (result.placements.length !== units)
      throw new Error(`${result.refusals.length} units found no machine`);
    const rssMb = process.memoryUsage().rss / 2 ** 20;
    return { units, machines: snapshot.machines.length, ms: Math.round(ms), rssMb: Math.round(rssMb) };
  });
}

function machinesFor(units: number): MachineView[] {
  const count = Math.max(INSTANCES, Math.ceil(units / UNITS_PER_MACHINE));
  return Array.from({ length: count }, (_, i) => ({
    id: i.toString(16).padStart(32, '0'),
    metadata: { disk: i % 2 === 0 ? 'ssd' : 'hdd', zone: `z${i % 7}` },
  }));
}

function unitsFor(count: number): UnitView[] {
  return Array.from({ length: count }, (_, i): UnitView => {
    const group = Math.floor(i / (10 * INSTANCES * 3));
    const unit = (name: string, fleet = ''): UnitView => {
      return { name, file: SERVICE + fleet, desired: 'launched', machine: null };
    };
    if (i % 10 !== 0) return unit(`plain${i}.service`);
    if (i % 30 === 0) return unit(`web${group}@${i}.service`, '\n[X-Fleet]\nConflicts=%p@*.service\n');
    if (i % 30 === 10) return unit(`side${i}.service`, `\n[X-Fleet]\nMachineOf=plain${i - 1}.service\n`);
    return unit(`db${i}.service`, `\n[X-Fleet]\nMachineMetadata="disk=ssd" "zone=z${group % 7}"\n`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.table(benchPlacement([1_000, 10_000, 100_000]));
}
