import type { Known, MachineView, Snapshot, UnitEntry, UnitView } from './model.ts';

/** What is recorded and known, as `place` takes it. */
export function snapshotOf(
  machines: ReadonlyMap<string, MachineView>,
  units: ReadonlyMap<string, UnitEntry>,
  files: ReadonlyMap<string, string>,
  { away, installed }: Known,
): Snapshot {
  const view = ({ name, hash, desired, machine }: UnitEntry): UnitView => {
    const on = installed?.get(name);
    const file = files.get(hash) ?? '';
    return { name, file, desired, machine, ...(on !== undefined && { machines: on }) };
  };
  return {
    machines: [...machines.values()].map((machine) =>
      away?.has(machine.id) ? { ...machine, unreachable: true } : machine,
    ),
    units: [...units.values()].map(view),
  };
}
