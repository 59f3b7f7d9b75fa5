import { decide } from '../../plan/index.ts';
import { type Desired, leavingKey } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { effectiveValues, parseUnitFile, parseUnitName } from '../../unit/index.ts';
import type { Session } from '../session.ts';
import { askAll } from './ask.ts';
import { isGlobal } from './global.ts';
import { withLeaving } from './name-units.ts';
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
  /** It is not wanted there any more: destroyed, unloaded or moved, and the machine still has to be rid of it. */
  readonly leaving?: true;
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
export async function listUnits(session: Session): Promise<UnitRow[]> {
  const state = await session.state();
  const decision = decide(state);
  const byMachine = new Map<string, string[]>();
  const put = (id: string, unit: string): void => {
    const units = byMachine.get(id);
    if (units === undefined) byMachine.set(id, [unit]);
    else units.push(unit);
  };
  for (const { machine, unit } of decision.assignments)
    if (decision.globals.has(unit) || state.units.get(unit)?.machine === machine) put(machine, unit);
  for (const { machine, unit } of decision.leaving.values()) put(machine, unit);
  const isLeaving = (unit: string, machine: string) =>
    decision.leaving.has(leavingKey(unit, machine)) ? { leaving: true as const } : {};
  const machines = [...byMachine.keys()].flatMap((id) => state.machines.get(id) ?? []);
  const answers = await askAll(session, machines, (machine, record) =>
    machine.statuses(byMachine.get(record.id) ?? []),
  );
  const rows: UnitRow[] = [];
  for (const answer of answers) {
    const { id, target } = answer.machine;
    const machine = { id, address: target.address };
    if ('error' in answer) {
      for (const unit of byMachine.get(id) ?? [])
        rows.push({
          unit,
          hash: hashOf(state, unit),
          machine,
          load: '-',
          active: 'unreachable',
          sub: '-',
          error: answer.error.message,
          ...isLeaving(unit, id),
        });
    } else {
      for (const { unit, load, active, sub } of answer.value)
        rows.push({ unit, hash: hashOf(state, unit), machine, load, active, sub, ...isLeaving(unit, id) });
    }
  }
  rows.push(...unplaced(state));
  return rows.sort((a, b) => compare(a.unit, b.unit) || compare(a.machine?.id ?? '', b.machine?.id ?? ''));
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

function hashOf(state: RegistryState, unit: string): string {
  return state.units.get(unit)?.hash ?? '';
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
