import { cpuText, type Requirements, sizeText } from '../unit/index.ts';
import { isTemplateName } from './facts.ts';
import { MachineTable } from './machines.ts';
import type { MachineView } from './model.ts';
import { CPU, MEMORY, type Resource } from './promised.ts';

/** What a unit asks for that no machine of the cluster has or can give; a sentence each, starting with the unit's name. */
export function impossibleOn(machines: Iterable<MachineView>, name: string, asked: Requirements): string[] {
  return impossible(new MachineTable([...machines]), name, asked);
}

/** As `impossibleOn`, for a table of the machines that serves several units. */
export function impossible(table: MachineTable, name: string, asked: Requirements): string[] {
  if (table.size === 0) return [];
  const out: string[] = [];
  for (const key of Object.keys(asked.metadata))
    if (!table.hasKey(key)) out.push(`${name}: MachineMetadata asks for ${key}, which no machine has`);
  for (const key of asked.spread)
    if (!table.hasKey(key)) out.push(`${name}: Spread names ${key}, which no machine has`);
  // The values of a template are those of no instance.
  for (const [key, value] of isTemplateName(name) ? [] : asked.prefer)
    if (table.having(key, value) === undefined)
      out.push(`${name}: Prefer names ${key}=${value}, which no machine has`);
  out.push(...tooLarge(table, name, MEMORY, asked.memory), ...tooLarge(table, name, CPU, asked.cpu));
  return out;
}

function tooLarge(table: MachineTable, name: string, resource: Resource, amount: number): string[] {
  if (amount === 0) return [];
  const [key, text] = resource === MEMORY ? ['Memory', sizeText] : ['Cpu', cpuText];
  const sizes = table.list.map(resource.capacity);
  const unknown = sizes.filter((size) => size === undefined).length;
  if (unknown > 0) {
    const which = unknown === 1 ? '1 machine' : `${unknown} machines`;
    const advice = 'cluster reconcile reads it';
    return [
      `${name}: ${key} is not checked on ${which} of which it is not known how much there is; ${advice}`,
    ];
  }
  const largest = Math.max(...(sizes as number[]));
  return amount > largest
    ? [
        `${name}: ${key}=${text(amount)} is more than any machine has for units: the largest has ${text(largest)}`,
      ]
    : [];
}
