import { isTemplateName, type UnitFacts } from './facts.ts';
import { MachineTable } from './machines.ts';
import type { ClusterState } from './model.ts';

/** What is allowed in unit files but can never come true in this cluster, or is probably not meant; sorted. */
export function warningsOf({ machines, units, files }: ClusterState, facts: UnitFacts): string[] {
  const table = new MachineTable([...machines.values()]);
  const warnings = new Set<string>();
  for (const { name, hash } of units.values()) {
    const { requirements, warnings: own } = facts.of(name, files.get(hash) ?? '');
    for (const warning of own) warnings.add(warning.startsWith(name) ? warning : `${name}: ${warning}`);
    if (isTemplateName(name)) continue;
    for (const leader of requirements.machineOf) {
      if (!units.has(leader)) warnings.add(`${name}: MachineOf names ${leader}, which does not exist`);
    }
    if (machines.size === 0) continue;
    for (const key of Object.keys(requirements.metadata)) {
      if (!table.hasKey(key)) warnings.add(`${name}: MachineMetadata asks for ${key}, which no machine has`);
    }
  }
  return [...warnings].sort();
}
