import { cpuText, type PortRange, parseUnitName, sizeText } from '../unit/index.ts';
import { isTemplateName, type UnitFacts } from './facts.ts';
import { impossible } from './impossible.ts';
import { MachineTable } from './machines.ts';
import type { Assignment, ClusterState, UnitEntry } from './model.ts';

type Planned = ClusterState & { readonly assignments: readonly Assignment[] };

/** What is allowed in unit files but can never come true in this cluster, or is probably not meant; sorted. */
export function warningsOf(planned: Planned, facts: UnitFacts): string[] {
  const { machines, units, files } = planned;
  const table = new MachineTable([...machines.values()]);
  const warnings = new Set<string>();
  const asked = (name: string) => facts.of(name, files.get(units.get(name)?.hash ?? '') ?? '').requirements;
  for (const { name, hash } of units.values()) {
    const { requirements, warnings: own } = facts.of(name, files.get(hash) ?? '');
    for (const warning of own) warnings.add(warning.startsWith(name) ? warning : `${name}: ${warning}`);
    if (isTemplateName(name)) continue;
    for (const leader of requirements.machineOf) {
      if (!units.has(leader)) warnings.add(`${name}: MachineOf names ${leader}, which does not exist`);
      const port = commonPort(requirements.ports, units.has(leader) ? asked(leader).ports : []);
      if (port !== undefined && leader !== name)
        warnings.add(`${name}: MachineOf names ${leader}, which has port ${port} too: it can never run`);
    }
    for (const warning of impossible(table, name, requirements)) warnings.add(warning);
  }
  for (const warning of differingInstances(units.values())) warnings.add(warning);
  for (const warning of overfull(planned, facts)) warnings.add(warning);
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

function commonPort(own: readonly PortRange[], theirs: readonly PortRange[]): number | undefined {
  for (const a of own)
    for (const b of theirs) {
      const port = Math.max(a.from, b.from);
      if (port <= Math.min(a.to, b.to)) return port;
    }
  return undefined;
}

/** Machines whose units were promised more than there is: what is there stays when the machine or the units change. */
function overfull({ machines, units, files, assignments }: Planned, facts: UnitFacts): string[] {
  const sums = new Map<string, { memory: number; cpu: number }>();
  for (const { machine, unit } of assignments) {
    const { memory, cpu } = facts.of(unit, files.get(units.get(unit)?.hash ?? '') ?? '').requirements;
    if (memory === 0 && cpu === 0) continue;
    const sum = sums.get(machine) ?? { memory: 0, cpu: 0 };
    sums.set(machine, { memory: sum.memory + memory, cpu: sum.cpu + cpu });
  }
  return [...sums].flatMap(([id, sum]) => {
    const { memory, cpus } = machines.get(id)?.facts ?? {};
    const over = (what: string, promised: string, all: string): string =>
      `machine ${id}: its units ask for ${promised} of ${what} together, and it has ${all}; nothing new comes there, cluster rebalance moves what fits elsewhere`;
    return [
      ...(memory !== undefined && sum.memory > memory
        ? [over('memory', sizeText(sum.memory), sizeText(memory))]
        : []),
      ...(cpus !== undefined && sum.cpu > cpus * 1000
        ? [over('CPU', cpuText(sum.cpu), cpuText(cpus * 1000))]
        : []),
    ];
  });
}
