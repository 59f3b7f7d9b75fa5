import type { ClusterError } from '../../error.ts';
import { decide, hashOn } from '../../plan/index.ts';
import { type Desired, leavingKey } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { effectiveValues, parseUnitFile, parseUnitName } from '../../unit/index.ts';
import { findMachine } from '../find-machine.ts';
import type { Session } from '../session.ts';
import { askAll } from './ask.ts';
import { isGlobal } from './global.ts';
import { nameUnits, notInactive, requireKnown, withLeaving } from './name-units.ts';
import { machinesLeft } from './report-leaving.ts';

/** One row per unit and machine, sorted by unit, then machine id. */
export interface UnitRow {
  readonly unit: string;
  readonly hash: string;
  readonly machine: { readonly id: string; readonly address?: string } | null;
  readonly load: string;
  /** systemd's word, or `unreachable` when the machine did not answer. */
  readonly active: string;
  readonly sub: string;
  /** Why there is no answer. */
  readonly error?: string;
  /** Why it does not run, where systemd knows. Absent also when not asked for. */
  readonly why?: string;
  /** Its last start was passed over by a condition of its file. */
  readonly unmet?: true;
  /** Milliseconds since 1970, by the machine's clock: when it came into its state. Absent = not asked for. */
  readonly since?: number | null;
  /** How often systemd restarted it by itself; null for what is no service. */
  readonly restarts?: number | null;
  /** It is not wanted there any more: destroyed, unloaded or moved, and the machine still has to be rid of it. */
  readonly leaving?: true;
}

export interface UnitQuery {
  /** Names, ranges or patterns; none = all units. */
  readonly names: readonly string[];
  /** Words that a unit's load, active or sub state is one of; empty = any. */
  readonly states: readonly string[];
  readonly machine?: string | undefined;
  /** Whether ages and restarts are wanted: they are asked for beside the states. */
  readonly ages: boolean;
  /** Whether it is wanted why units do not run. */
  readonly reasons: boolean;
}

const ALL: UnitQuery = { names: [], states: [], ages: false, reasons: false };

export interface UnitList {
  readonly rows: readonly UnitRow[];
  /** What machines that did not answer said; their units are in the rows. */
  readonly errors: readonly ClusterError[];
}

export interface UnitFileRow {
  readonly unit: string;
  readonly hash: string;
  readonly desc: string;
  readonly dstate: Desired;
  readonly global: boolean;
  /** null for global units. */
  readonly state: Desired | null;
  readonly target: { readonly id: string; readonly address?: string } | null;
  /** Machines that may still have it although it was destroyed, unloaded or moved. */
  readonly leaving?: readonly { readonly id: string; readonly address?: string }[];
}

/**
 * What systemd says of every placed unit, asked of all machines at once. A unit on a machine that does not answer is
 * listed as such; a wanted unit that has no machine is listed without one.
 */
export async function listUnits(session: Session, query: UnitQuery = ALL): Promise<UnitList> {
  const state = await session.state();
  const decision = decide(state);
  const named =
    query.names.length === 0
      ? null
      : new Set(requireKnown(withLeaving(state), nameUnits(withLeaving(state), query.names, notInactive)));
  const only = query.machine === undefined ? null : findMachine(state, query.machine).id;
  const isWanted = (unit: string, id: string | null): boolean =>
    (named?.has(unit) ?? true) && (only === null || id === only);
  const byMachine = new Map<string, string[]>();
  const put = (id: string, unit: string): void => {
    const units = byMachine.get(id);
    if (units === undefined) byMachine.set(id, [unit]);
    else units.push(unit);
  };
  for (const { machine, unit } of decision.assignments)
    if (isWanted(unit, machine) && (decision.globals.has(unit) || state.units.get(unit)?.machine === machine))
      put(machine, unit);
  for (const { machine, unit } of decision.leaving.values()) if (isWanted(unit, machine)) put(machine, unit);
  const isLeaving = (unit: string, machine: string) =>
    decision.leaving.has(leavingKey(unit, machine)) ? { leaving: true as const } : {};
  const machines = [...byMachine.keys()].flatMap((id) => state.machines.get(id) ?? []);
  const answers = await askAll(session, machines, async (machine, record) => {
    const units = byMachine.get(record.id) ?? [];
    const [states, ages] = await Promise.all([
      machine.statuses(units, query.reasons),
      query.ages ? machine.ages(units) : undefined,
    ]);
    return states.map((status, at) => ({ ...status, ...ages?.[at] }));
  });
  const rows: UnitRow[] = [];
  for (const answer of answers) {
    const { id, target } = answer.machine;
    const machine = { id, address: target.address };
    if ('error' in answer) {
      for (const unit of byMachine.get(id) ?? [])
        rows.push({
          unit,
          hash: hashOf(state, unit, id),
          machine,
          load: '-',
          active: 'unreachable',
          sub: '-',
          error: answer.error.message,
          ...isLeaving(unit, id),
        });
    } else {
      for (const { unit, ...seen } of answer.value)
        rows.push({ unit, hash: hashOf(state, unit, id), machine, ...seen, ...isLeaving(unit, id) });
    }
  }
  rows.push(...unplaced(state).filter(({ unit, machine }) => isWanted(unit, machine?.id ?? null)));
  const { states } = query;
  const inState = ({ load, active, sub }: UnitRow): boolean =>
    states.length === 0 || [load, active, sub].some((word) => states.includes(word));
  return {
    rows: rows
      .filter(inState)
      .sort((a, b) => compare(a.unit, b.unit) || compare(a.machine?.id ?? '', b.machine?.id ?? '')),
    errors: answers.flatMap((answer) => ('error' in answer ? [answer.error] : [])),
  };
}

/** Wanted, but on no machine, or on one that is no longer known. */
function unplaced(state: RegistryState): UnitRow[] {
  const rows: UnitRow[] = [];
  for (const unit of state.units.values()) {
    if (unit.desired === 'inactive' || isGlobal(state, unit.name)) continue;
    if (unit.machine !== null && state.machines.has(unit.machine)) continue;
    const machine = unit.machine === null ? null : { id: unit.machine };
    rows.push({ unit: unit.name, hash: unit.hash, machine, load: '-', active: 'unplaced', sub: '-' });
  }
  return rows;
}

/** What the registry knows, sorted by name. */
export async function listUnitFiles(session: Session): Promise<UnitFileRow[]> {
  const state = await session.state();
  const left = machinesLeft(state);
  const { units } = withLeaving(state);
  return sorted([...units.values()], (unit) => unit.name).map((unit) => {
    const global = isGlobal(state, unit.name);
    const machine = unit.machine === null ? null : legend(state.machines, unit.machine);
    const placed = unit.machine !== null && state.machines.has(unit.machine);
    return {
      unit: unit.name,
      hash: unit.hash,
      desc: descriptionOf(unit.name, state.files.get(unit.hash) ?? ''),
      dstate: unit.desired,
      global,
      state: global ? null : placed ? unit.desired : 'inactive',
      target: machine,
      ...leavingOf(left.get(unit.name)),
    };
  });
}

function leavingOf(machines: readonly MachineRecord[] | undefined): Pick<UnitFileRow, 'leaving'> {
  return machines === undefined
    ? {}
    : { leaving: machines.map(({ id, target: { address } }) => ({ id, address })) };
}

/** `Description=` with the specifiers that a name alone decides, as fleet shows it. */
function descriptionOf(unit: string, text: string): string {
  const name = parseUnitName(unit);
  const description = effectiveValues(parseUnitFile(text), 'Unit', 'Description').at(-1) ?? '';
  const known: Readonly<Record<string, string>> = {
    n: unit,
    i: name.instance ?? '',
    p: name.prefix,
    '%': '%',
  };
  return description.replace(/%([nip%])/g, (_, letter: string) => known[letter] ?? '');
}

function hashOf(state: RegistryState, unit: string, machine: string): string {
  const record = state.units.get(unit);
  return record === undefined ? '' : hashOn(record, machine);
}

function legend(machines: ReadonlyMap<string, MachineRecord>, id: string): { id: string; address?: string } {
  const record = machines.get(id);
  return record === undefined ? { id } : { id, address: record.target.address };
}

function sorted<Item>(items: Item[], key: (item: Item) => string): Item[] {
  return items.sort((a, b) => compare(key(a), key(b)));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
