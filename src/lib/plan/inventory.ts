import { ClusterError, type ErrorOptions } from '../error.ts';
import { nearest, parseSize } from '../unit/index.ts';
import type { Desired, MachineSize, MachineView, UnitView } from './model.ts';

/** An inventory as a person writes it, checked: ids and names are unique, every value has its type. */
export interface Inventory {
  readonly machines: readonly MachineView[];
  readonly units: readonly UnitView[];
}

type Fields = Record<string, unknown>;

const KEYS = {
  inventory: ['machines', 'units'],
  machine: ['id', 'address', 'metadata', 'memory', 'cpus', 'cordoned', 'unreachable'],
  unit: ['name', 'file', 'desired', 'machine', 'machines'],
} as const;
const DESIRED: readonly Desired[] = ['inactive', 'loaded', 'launched'];

/** Checks an inventory that was read from YAML or JSON; throws `inventory-invalid` naming the place and the fault. */
export function readInventory(value: unknown): Inventory {
  const top = fields(value, 'the inventory', KEYS.inventory);
  if (top.machines === undefined) {
    throw invalid('the inventory has no "machines"', { hint: 'write at least: machines: []' });
  }
  const machines = list(top.machines, '"machines"').map(readMachine);
  const units = list(top.units ?? [], '"units"').map(readUnit);
  const twiceId = firstTwice(machines.map((m) => m.id));
  if (twiceId !== undefined) throw invalid(`machine ${twiceId} is listed twice`, { machine: twiceId });
  const twiceName = firstTwice(units.map((u) => u.name));
  if (twiceName !== undefined) throw invalid(`unit ${twiceName} is listed twice`, { unit: twiceName });
  return { machines, units };
}

/** The first item that occurs a second time. */
export function firstTwice(items: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return items.find((item) => {
    if (seen.has(item)) return true;
    seen.add(item);
    return false;
  });
}

function readMachine(value: unknown, index: number): MachineView {
  const where = `machines[${index}]`;
  const machine = fields(value, where, KEYS.machine);
  const id = text(machine.id, `${where}.id`);
  if (id === '') throw invalid(`${where}.id is empty`, { hint: 'any text that is not empty will do' });
  const address = optional(machine.address, (v) => text(v, `${where}.address`));
  const facts = readSize(machine, where);
  return {
    id,
    ...(address === undefined ? {} : { address }),
    metadata: readMetadata(machine.metadata ?? {}, `${where}.metadata`),
    ...(facts === undefined ? {} : { facts }),
    cordoned: optional(machine.cordoned, (v) => flag(v, `${where}.cordoned`)) ?? false,
    unreachable: optional(machine.unreachable, (v) => flag(v, `${where}.unreachable`)) ?? false,
  };
}

/** `memory: 2G` (or a number of bytes) and `cpus: 4`; undefined where the machine says neither. */
function readSize(machine: Fields, where: string): MachineSize | undefined {
  const memory = optional(machine.memory, (value) => {
    const bytes = parseSize(String(value));
    if (bytes !== null) return bytes;
    throw invalid(`${where}.memory is no size above 0`, { hint: 'a number of bytes, or text such as 2G' });
  });
  const cpus = optional(machine.cpus, (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    throw invalid(`${where}.cpus is no whole number above 0`, { hint: 'such as cpus: 4' });
  });
  if (memory === undefined && cpus === undefined) return undefined;
  return { ...(memory !== undefined && { memory }), ...(cpus !== undefined && { cpus }) };
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  const entries = Object.entries(fields(value, where));
  return Object.fromEntries(entries.map(([key, item]) => [key, text(item, `${where}.${key}`)]));
}

function readUnit(value: unknown, index: number): UnitView {
  const where = `units[${index}]`;
  const unit = fields(value, where, KEYS.unit);
  const name = text(unit.name, `${where}.name`);
  const place = { unit: name };
  const desired = optional(unit.desired, (v) => readDesired(v, `desired of ${name}`, place)) ?? 'launched';
  const machine = optional(unit.machine, (v) => text(v, `machine of ${name}`, place)) ?? null;
  if (machine === '')
    throw invalid(`machine of ${name} is empty`, { ...place, hint: 'write null for nowhere' });
  const machines = optional(unit.machines, (v) =>
    list(v, `machines of ${name}`, place).map((id) => text(id, `machines of ${name}`, place)),
  );
  return {
    name,
    file: text(unit.file, `file of ${name}`, place),
    desired,
    machine,
    ...(machines === undefined ? {} : { machines }),
  };
}

function readDesired(value: unknown, where: string, place: ErrorOptions): Desired {
  const word = text(value, where, place);
  const desired = DESIRED.find((d) => d === word);
  if (desired !== undefined) return desired;
  const near = nearest(word, DESIRED);
  throw invalid(`${where} is "${word}", not one of ${DESIRED.join(', ')}`, {
    ...place,
    ...(near === null ? {} : { hint: `did you mean "${near}"?` }),
  });
}

function fields(value: unknown, where: string, allowed?: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${where} must be a map, found ${kindOf(value)}`);
  }
  const found = value as Fields;
  for (const key of Object.keys(found)) {
    if (allowed === undefined || allowed.includes(key)) continue;
    const near = nearest(key, allowed);
    const guess = near === null ? '' : `did you mean "${near}"? `;
    throw invalid(`${where} has the unknown key "${key}"`, {
      key,
      hint: `${guess}known keys: ${allowed.join(', ')}`,
    });
  }
  return found;
}

function list(value: unknown, where: string, place: ErrorOptions = {}): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(`${where} must be a list, found ${kindOf(value)}`, place);
}

function text(value: unknown, where: string, place: ErrorOptions = {}): string {
  if (typeof value === 'string') return value;
  const quotable = typeof value === 'number' || typeof value === 'boolean';
  const hint = quotable ? { hint: `put it in quotes: "${value}"` } : {};
  if (value === undefined) throw invalid(`${where} is missing`, place);
  throw invalid(`${where} must be text, found ${kindOf(value)}`, { ...place, ...hint });
}

function flag(value: unknown, where: string): boolean {
  if (typeof value === 'boolean') return value;
  throw invalid(`${where} must be true or false, found ${kindOf(value)}`);
}

const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined || value === null ? undefined : read(value);

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? 'text' : `the ${typeof value} ${String(value)}`;
}

const invalid = (message: string, options: ErrorOptions = {}): ClusterError =>
  new ClusterError('inventory-invalid', message, options);
