import { isLive } from './item.ts';
import { groupOf, isOfMachines } from './machines.ts';
import type { Rollout } from './model.ts';

/** Kinds that concern a whole machine and with it all units there. */
const OF_MACHINES: ReadonlySet<string> = new Set(['drain', 'reboot', 'update']);

/** Units, machines and groups of machines that no other rollout may touch as long as this one is not at its end. */
export function claimsOf({ kind, items }: Pick<Rollout, 'kind' | 'items'>): {
  readonly units: ReadonlySet<string>;
  readonly machines: ReadonlySet<string>;
  readonly groups: ReadonlySet<string>;
} {
  const machines = OF_MACHINES.has(kind) ? items.flatMap(({ machine }) => machine ?? []) : [];
  return {
    units: new Set(items.map(({ unit }) => unit).filter((unit) => unit !== '')),
    machines: new Set(machines),
    groups: new Set(isOfMachines(kind) ? items.map(groupOf) : []),
  };
}

/** What two rollouts both touch, in words; null = nothing. */
export function overlap(
  one: Pick<Rollout, 'kind' | 'items'>,
  other: Pick<Rollout, 'kind' | 'items'>,
): string | null {
  const [a, b] = [claimsOf(one), claimsOf(other)];
  for (const unit of a.units) if (b.units.has(unit)) return `unit ${unit}`;
  for (const machine of a.machines) if (b.machines.has(machine)) return `machine ${machine.slice(0, 8)}`;
  for (const group of a.groups) if (b.groups.has(group)) return `group ${group}`;
  return null;
}

/** Of these, the first that is not at its end and touches what `rollout` touches. A halted one holds nothing. */
export function holderOf(
  rollout: Pick<Rollout, 'id' | 'kind' | 'items'>,
  others: Iterable<Rollout>,
): { readonly rollout: Rollout; readonly what: string } | null {
  for (const other of others) {
    if (other.id === rollout.id || !isLive(other)) continue;
    const what = overlap(rollout, other);
    if (what !== null) return { rollout: other, what };
  }
  return null;
}
