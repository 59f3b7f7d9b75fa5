import { hasBit } from './bits.ts';
import type {
  Exclusion,
  GlobalPlacement,
  MachineScore,
  Placement,
  PlacementResult,
  Refusal,
} from './model.ts';
import { whyNotCome } from './rules/apply.ts';
import type { State } from './state.ts';
import type { Wanted } from './units.ts';

/** What happened to units during planning, in words, by the index of the unit. */
export interface PlannedMove {
  /** Why a unit is no longer where it was. */
  readonly left: Map<number, string>;
  /** Why a unit came where it is. */
  readonly came: Map<number, string>;
  /** How the first machines were ranked when a unit was placed, where scores were asked for. */
  readonly scores: Map<number, readonly MachineScore[]>;
}

/** Puts the final state into the words of the outside: placements, global units, and refusals with their reasons. */
export function resultOf(state: State, moves: PlannedMove): PlacementResult {
  const placements: Placement[] = [];
  const global: GlobalPlacement[] = [];
  const refusals: Refusal[] = [];
  const reasonsFor = lastOnly((unit) => state.machines.list.map((_, rank) => whyNotCome(state, unit, rank)));

  for (const unit of state.units.list) {
    const previous = unit.view.machine;
    const rank = state.at[unit.index] as number;
    if (unit.global) {
      const bits = state.globalAt.get(unit.index);
      const on = state.machines.list.filter((_, r) => bits !== undefined && hasBit(bits, r));
      global.push({ unit: unit.name, machines: on.map((machine) => machine.id) });
    } else if (rank < 0) {
      refusals.push(refusal(unit, reasonsFor));
    } else {
      const machine = state.machines.id(rank);
      const reason = machine === previous ? `stays on ${machine}` : whyMoved(unit, moves);
      const scores = machine === previous ? undefined : moves.scores.get(unit.index);
      placements.push({ unit: unit.name, machine, previous, reason, ...(scores && { scores }) });
    }
  }
  return { placements, global, refusals };
}

function whyMoved(unit: Wanted, { left, came }: PlannedMove): string {
  const here = came.get(unit.index) ?? '';
  const gone = unit.view.machine === null ? undefined : left.get(unit.index);
  return gone === undefined ? here : `${gone}; ${here}`;
}

/** Ten thousand refusals on five thousand machines would be fifty million objects, so they are made when asked for. */
function refusal(unit: Wanted, reasonsFor: (unit: Wanted) => readonly Exclusion[]): Refusal {
  return {
    unit: unit.name,
    previous: unit.view.machine,
    get reasons() {
      return reasonsFor(unit);
    },
  };
}

function lastOnly(compute: (unit: Wanted) => readonly Exclusion[]) {
  let last: { readonly unit: Wanted; readonly reasons: readonly Exclusion[] } | undefined;
  return (unit: Wanted): readonly Exclusion[] => {
    if (last?.unit !== unit) last = { unit, reasons: compute(unit) };
    return last.reasons;
  };
}
