import { parseUnitName } from '../unit/index.ts';
import { isTemplateName, type UnitFacts } from './facts.ts';
import { MachineTable } from './machines.ts';
import type { ClusterState, UnitEntry } from './model.ts';

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
  for (const warning of differingInstances(units.values())) warnings.add(warning);
  return [...warnings].sort();
}

/** Templates whose instances have different files: somebody changed some of them alone, or a rollout is under way. */
function* differingInstances(units: Iterable<UnitEntry>): Generator<string> {
  const hashes = new Map<string, Map<string, string[]>>();
  for (const { name, hash } of units) {
    const { template, isTemplate } = parseUnitName(name);
    if (template === null || isTemplate) continue;
    const byHash = hashes.get(template) ?? new Map<string, string[]>();
    byHash.set(hash, [...(byHash.get(hash) ?? []), name]);
    hashes.set(template, byHash);
  }
  for (const [template, byHash] of hashes) {
    if (byHash.size < 2) continue;
    const parts = [...byHash].map(([hash, names]) => `${hash.slice(0, 7)}: ${shortList(names.sort())}`);
    yield `instances of ${template} have ${byHash.size} different files (${parts.sort().join('; ')})`;
  }
}

const shortList = (names: readonly string[]): string =>
  names.length > 3 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ');
