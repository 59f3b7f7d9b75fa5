import type { Event } from '../control/event.ts';
import type { LockRow } from '../control/rollouts/locks.ts';
import type { MachinesPlan } from '../control/rollouts/machines.ts';
import type { RolloutPlan } from '../control/rollouts/start.ts';
import type { RolloutRow } from '../control/rollouts/verbs.ts';
import {
  type Budget,
  formatWindow,
  type ItemState,
  isOfMachines,
  type Rollout,
  type RolloutItem,
  type RolloutKind,
} from '../rollout/index.ts';
import { machineLegend, planMachine } from './format.ts';
import { renderTable } from './table.ts';

type Changed = Extract<Event, { kind: 'rollout' }>;
type UnitChanged = Extract<Event, { kind: 'rollout-unit' }>;

const counted = (count: number, kind: RolloutKind): string =>
  `${count} ${isOfMachines(kind) ? 'machine' : 'unit'}${count === 1 ? '' : 's'}`;
const SHORT_HASH = 7;

/** A rollout's new state, on one line. */
export function rolloutLine(event: Changed): string {
  const { id, change, state, units: all, healthy, failed, skipped, reason, seconds } = event;
  const because = reason === undefined ? '' : `: ${reason}`;
  const bad = `${failed === 0 ? '' : `, ${failed} failed`}${skipped === 0 ? '' : `, ${skipped} passed over`}`;
  switch (state) {
    case 'planned':
      return `Rollout ${id} (${change}) of ${counted(all, change)} begins`;
    case 'done':
    case 'rolled-back': {
      const are = change !== 'drain' ? 'healthy' : all === 1 ? 'has left' : 'have left';
      const is = state === 'done' ? 'done' : 'rolled back';
      return `Rollout ${id} ${is}: ${healthy} of ${counted(all, change)} ${are}${bad}, in ${seconds.toFixed(1)} s`;
    }
    default:
      return `Rollout ${id} ${state}${because}`;
  }
}

const WORDS: Readonly<Record<ItemState, string>> = {
  waiting: 'waits',
  acting: 'is being changed',
  returning: 'is changed and watched',
  healthy: 'is healthy',
  failed: 'failed',
  skipped: 'is passed over',
};

const LEAVING: Readonly<Record<ItemState, string>> = {
  ...WORDS,
  acting: 'is leaving',
  returning: 'has left and is watched',
};

/** Of a unit that goes to no other machine. */
const LEAVING_FOR_GOOD: typeof LEAVING = { ...LEAVING, healthy: 'has left' };

/** A unit's new state, and the last lines that it wrote where it failed. */
export function rolloutUnitLines({
  change,
  unit,
  machine,
  state,
  batch,
  why,
  journal = [],
  seconds,
}: UnitChanged): string[] {
  const legend = machine === null ? '' : machineLegend(machine, false);
  const where = machine === null || unit === '' ? '' : ` on ${legend}`;
  const what = unit === '' ? `machine ${legend}` : unit;
  const after = state === 'acting' || state === 'skipped' ? '' : ` after ${seconds.toFixed(1)} s`;
  const because = why === undefined ? '' : `: ${why}`;
  const words = change !== 'drain' ? WORDS : machine === null ? LEAVING_FOR_GOOD : LEAVING;
  const line = `[batch ${batch}] ${what}${where} ${words[state]}${after}${because}`;
  return [line, ...journal.map((text) => `  | ${text}`)];
}

/** The batches that a rollout would have. */
export function rolloutPlanText({ kind, batches, notes }: RolloutPlan): string {
  if (batches.length === 0) return 'Nothing to do.\n';
  const rows = batches.flatMap((batch, at) =>
    batch.map(({ unit, machine, from, to, goesTo }) => [
      String(at + 1),
      unit,
      machine === null ? '-' : planMachine(machine),
      goesTo === undefined
        ? kind === 'file'
          ? `${from?.slice(0, SHORT_HASH) ?? '(new)'} -> ${to.slice(0, SHORT_HASH)}`
          : kind
        : goesTo === null
          ? 'stops'
          : `goes to ${planMachine(goesTo)}`,
    ]),
  );
  const table = renderTable(['batch', 'unit', 'machine', 'change'], rows, true);
  return `${table}${notes.map((note) => `Note: ${note}\n`).join('')}`;
}

/** The batches that a reboot or update would have, and why in this order. */
export function machinesPlanText({ kind, batches, notes }: MachinesPlan): string {
  const told = notes.map((note) => `Note: ${note}\n`).join('');
  if (batches.length === 0) return `Nothing to do.\n${told}`;
  const rows = batches.flatMap((batch, at) =>
    batch.map(({ machine, address, group, why }) => [
      String(at + 1),
      machineLegend({ id: machine, address }, false),
      group,
      kind,
      why === '' ? '-' : why,
    ]),
  );
  return `${renderTable(['batch', 'machine', 'group', 'change', 'why'], rows, true)}${told}`;
}

/** What taking a machine out of the cluster would do. */
export function removalText({ removes, ...plan }: RolloutPlan & { readonly removes: string }): string {
  const moves =
    plan.batches.length === 0 ? plan.notes.map((note) => `Note: ${note}\n`).join('') : rolloutPlanText(plan);
  return `${moves}Machine ${removes} would be removed.\n`;
}

export function rolloutsText(rows: readonly RolloutRow[], legend: boolean): string {
  const cells = rows.map(({ rollout, driver }) => [
    rollout.id,
    rollout.kind,
    rollout.state,
    progress(rollout),
    driver?.who ?? '-',
    rollout.who,
    rollout.began,
    rollout.reason ?? '-',
  ]);
  return renderTable(['rollout', 'kind', 'state', 'healthy', 'driver', 'who', 'began', 'why'], cells, legend);
}

const progress = ({ items }: Rollout): string =>
  `${items.filter(({ state }) => state === 'healthy').length}/${items.length}`;

/** One rollout with its budget and a line for each unit. */
export function rolloutText({ rollout, driver }: RolloutRow): string {
  const { id, kind, state, back, reason, budget, items, who, began, windows = [] } = rollout;
  const facts = [
    ['rollout', `${id} (${kind}${back ? ', on its way back' : ''})`],
    ['state', reason === undefined ? state : `${state}: ${reason}`],
    ['began', `${began} by ${who}`],
    ['driver', driver === null ? 'nobody' : `${driver.who} (process ${driver.pid})`],
    ['budget', budgetText(budget)],
    ...windows.map((window) => ['window', formatWindow(window)]),
  ];
  if (isOfMachines(kind)) return `${renderTable(['', ''], facts, false)}\n${machinesText(items)}`;
  const rows = items.map((item) => [
    item.unit,
    item.machine === null ? '-' : planMachine(item.machine),
    item.state,
    item.from?.hash.slice(0, SHORT_HASH) ?? '-',
    item.to.hash.slice(0, SHORT_HASH),
    item.why ?? '-',
  ]);
  return `${renderTable(['', ''], facts, false)}\n${renderTable(['unit', 'machine', 'state', 'from', 'to', 'why'], rows, true)}`;
}

/** A line for each machine, and then one for each package that was changed there. */
function machinesText(items: readonly RolloutItem[]): string {
  const rows = items.map(({ machine, group, state, why, packages, rebootNeeded }) => [
    planMachine(machine ?? '-'),
    group ?? '-',
    state,
    packages === undefined ? '-' : String(packages.length),
    why ?? (rebootNeeded === undefined ? '-' : `needs a reboot: ${rebootNeeded}`),
  ]);
  const changed = items.flatMap(({ machine, packages = [] }) =>
    packages.map(({ name, from, to }) => [planMachine(machine ?? '-'), name, from ?? '-', to ?? '-']),
  );
  const table = renderTable(['machine', 'group', 'state', 'packages', 'why'], rows, true);
  if (changed.length === 0) return table;
  return `${table}\n${renderTable(['machine', 'package', 'from', 'to'], changed, true)}`;
}

/** Who holds a slot of which lock. */
export function locksText(rows: readonly LockRow[]): string {
  const cells = rows.map(({ lock, max, machine, address, rollout, since }) => [
    lock,
    String(max),
    machineLegend({ id: machine, ...(address !== null && { address }) }, false),
    rollout,
    since,
  ]);
  return renderTable(['lock', 'slots', 'machine', 'rollout', 'since'], cells, true);
}

function budgetText(budget: Budget): string {
  const {
    maxUnavailable: limit,
    canary,
    pause,
    minHealthyMs,
    deadlineMs,
    maxFailures,
    autoRollback,
    drainMs,
  } = budget;
  const most = 'count' in limit ? String(limit.count) : `${limit.percent}%`;
  return [
    `max-unavailable ${most}`,
    ...(canary > 0 ? [`canary ${canary}${pause ? ' (then pause)' : ''}`] : []),
    `min-healthy ${minHealthyMs / 1000} s`,
    `deadline ${deadlineMs / 1000} s`,
    `max-failures ${maxFailures}`,
    ...(drainMs === undefined ? [] : [`drain ${drainMs / 1000} s`]),
    ...(autoRollback ? ['auto-rollback'] : []),
  ].join(', ');
}
