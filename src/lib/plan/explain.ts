import type { Requirements } from '../unit/index.ts';
import { hasBit } from './bits.ts';
import type { Exclusion, Rule } from './model.ts';
import type { State } from './state.ts';
import type { Wanted } from './units.ts';

type Why = { readonly rule: Rule; readonly detail: string };

/** The first rule, in fleet's order, by which a machine cannot have a unit; null when it can. */
export function explain(state: State, unit: Wanted, rank: number): Why | null {
  return (
    whyIdentity(state, unit.wants.requirements, rank) ??
    whyLeader(state, unit, rank) ??
    whyConflict(state, unit, rank) ??
    whyReplaced(state, unit, rank)
  );
}

/** As `explain`, for a unit that would be new on the machine. */
export function explainNew(state: State, unit: Wanted, rank: number): Exclusion {
  const machine = state.machines.id(rank);
  const why = explain(state, unit, rank) ?? whyClosed(state, rank) ?? whyCannotPush(state, unit, rank);
  return { machine, ...why };
}

function whyIdentity({ machines }: State, requirements: Requirements, rank: number): Why | null {
  const qualified = machines.qualified(requirements);
  if (qualified === null || hasBit(qualified, rank)) return null;
  const { machineId, metadata } = requirements;
  if (machineId !== null && !machines.answering(machineId).includes(rank)) {
    return { rule: 'machine-id', detail: `MachineID=${machineId} is not this machine` };
  }
  const have = machines.list[rank]?.metadata ?? {};
  for (const [key, values] of Object.entries(metadata)) {
    const value = Object.hasOwn(have, key) ? have[key] : undefined;
    if (value !== undefined && values.includes(value)) continue;
    const wanted = values.map((v) => `${key}=${v}`).join(' or ');
    const found = value === undefined ? `no ${key}` : `${key}=${value}`;
    return { rule: 'machine-metadata', detail: `MachineMetadata wants ${wanted}; this machine has ${found}` };
  }
  return null;
}

function whyLeader(state: State, unit: Wanted, rank: number): Why | null {
  const { machineOf } = unit.wants.requirements;
  const missing = unit.leaders.findIndex((leader) => !state.leads(leader, rank));
  if (missing < 0 && state.order.circular[unit.index] !== 1) return null;
  const circle = circleOf(state, unit);
  if (circle !== null) return { rule: 'machine-of', detail: circle };
  const name = machineOf[missing] ?? '';
  return {
    rule: 'machine-of',
    detail: `MachineOf=${name}, ${whereIs(state, unit.leaders[missing] ?? -1, name)}`,
  };
}

function whereIs(state: State, leader: number, name: string): string {
  if (leader < 0) return state.units.known.has(name) ? 'which is inactive' : 'which nobody knows';
  if (state.unit(leader).global) return 'a global unit that does not run here';
  const rank = state.at[leader] as number;
  return rank < 0 ? 'which has no machine itself' : `which is on ${state.machines.id(rank)}`;
}

/** `a -> b -> a` when the unit is itself part of a MachineOf circle. */
function circleOf(state: State, unit: Wanted): string | null {
  if (state.order.circular[unit.index] !== 1) return null;
  const from = new Map<number, number>();
  const queue = [unit.index];
  for (const index of queue) {
    for (const leader of state.unit(index).leaders) {
      if (leader === unit.index) {
        const path = [unit.name];
        for (let i = index; i !== unit.index; i = from.get(i) as number) path.push(state.unit(i).name);
        path.push(unit.name);
        if (path.length === 2) return 'MachineOf names the unit itself';
        return `MachineOf goes in a circle: ${path.reverse().join(' -> ')}`;
      }
      if (leader < 0 || from.has(leader)) continue;
      from.set(leader, index);
      queue.push(leader);
    }
  }
  return null;
}

function whyConflict(state: State, unit: Wanted, rank: number): Why | null {
  if (!state.conflictsAt(unit, rank)) return null;
  const { patterns } = state.units.conflicts;
  const here = state.on(rank).sort((a, b) => a.index - b.index);
  for (const other of here) {
    const own = unit.wants.conflicts.find((glob) => other.conflictedBy.includes(glob));
    if (own !== undefined) {
      return { rule: 'conflicts', detail: `Conflicts=${patterns[own]} matches ${other.name}, which is here` };
    }
    const theirs = other.wants.conflicts.find((glob) => unit.conflictedBy.includes(glob));
    if (theirs !== undefined) {
      return {
        rule: 'conflicts',
        detail: `${other.name} is here, and its Conflicts=${patterns[theirs]} matches this unit`,
      };
    }
  }
  return null;
}

function whyReplaced(state: State, unit: Wanted, rank: number): Why | null {
  const replacer = state.replacerAt(unit, rank);
  return replacer === undefined
    ? null
    : { rule: 'replaces', detail: `${replacer.name} is here, and its Replaces= names this unit` };
}

function whyClosed(state: State, rank: number): Why | null {
  const machine = state.machines.list[rank];
  if (machine?.cordoned)
    return { rule: 'cordoned', detail: 'the machine is cordoned and takes no new units' };
  if (machine?.unreachable) return { rule: 'unreachable', detail: 'the machine cannot be reached' };
  return null;
}

function whyCannotPush(state: State, unit: Wanted, rank: number): Why {
  const names = state.replacedAt(unit, rank).map((other) => other.name);
  return { rule: 'replaces', detail: `replacing ${names.sort().join(', ')} here would not come to an end` };
}
