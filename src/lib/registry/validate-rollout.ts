import type { Limit, Rollout, RolloutItem, Version } from '../rollout/index.ts';
import { parseUnitName } from '../unit/index.ts';
import { type Fields, fields, parsed, text, version } from './fields.ts';

/** Who drives a rollout; on the driver's lease, so that it goes with the driver. */
export interface DriverRecord {
  readonly v: 1;
  /** `user@computer`. */
  readonly who: string;
  readonly pid: number;
}

const KINDS: readonly unknown[] = ['file', 'restart', 'drain', 'reboot', 'update'];
const STATES: readonly unknown[] = [
  'planned',
  'checking',
  'running',
  'paused',
  'halted',
  'done',
  'rolling-back',
  'rolled-back',
  'aborted',
];
const ITEM_STATES: readonly unknown[] = ['waiting', 'acting', 'returning', 'healthy', 'failed', 'skipped'];
const DESIRED: readonly unknown[] = ['inactive', 'loaded', 'launched'];

/** @throws Error whose message names the field that is wrong. */
export function readRollout(value: string, id: string): Rollout {
  const of = fields(parsed(value), 'rollout');
  version(of);
  if (of.id !== id) throw new Error(`"id" is ${JSON.stringify(of.id)}, the key says ${id}`);
  if (!/^[1-9]\d{0,14}$/.test(id)) throw new Error('the key names no number');
  oneOf(of, 'kind', KINDS);
  oneOf(of, 'state', STATES);
  for (const name of ['back', 'canaryPassed']) flag(of, name);
  for (const name of ['who', 'began']) text(of, name);
  if (of.reason !== undefined) text(of, 'reason');
  if (of.rebootIfNeeded !== undefined) flag(of, 'rebootIfNeeded');
  for (const window of list(of, 'windows')) readWindow(fields(window, 'a window'));
  count(of, 'batch');
  readBudget(fields(of.budget, '"budget"'));
  if (!Array.isArray(of.items) || of.items.length === 0) throw new Error('"items" is not a list of units');
  for (const item of of.items) readItem(fields(item, 'an item'));
  return of as unknown as Rollout;
}

/** null for what is not a driver's record. */
export function readDriver(value: string): DriverRecord | null {
  try {
    const record = fields(parsed(value), 'driver');
    text(record, 'who');
    count(record, 'pid');
    return record.v === 1 ? (record as unknown as DriverRecord) : null;
  } catch {
    return null;
  }
}

function readBudget(of: Fields): void {
  for (const name of ['canary', 'minHealthyMs', 'deadlineMs', 'maxFailures']) count(of, name);
  if (of.drainMs !== undefined) count(of, 'drainMs');
  for (const name of ['pause', 'autoRollback']) flag(of, name);
  const limit = fields(of.maxUnavailable, '"maxUnavailable"') as unknown as Partial<
    Record<keyof (Limit & object), unknown>
  >;
  const [number] = Object.values(limit);
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 1)
    throw new Error('"maxUnavailable" is no number from 1');
}

function readItem(of: Fields): asserts of is Fields & RolloutItem {
  oneOf(of, 'state', ITEM_STATES);
  if (text(of, 'unit') !== '') parseUnitName(text(of, 'unit'));
  if (of.machine !== null) text(of, 'machine');
  if (of.from !== null) readVersion(fields(of.from, '"from"'));
  readVersion(fields(of.to, '"to"'));
  for (const name of ['why', 'run', 'group', 'rebootNeeded']) if (of[name] !== undefined) text(of, name);
  for (const name of ['wasHealthy', 'again', 'global', 'mayStop', 'announced'])
    if (of[name] !== undefined) flag(of, name);
  if (list(of, 'well').some((name) => typeof name !== 'string'))
    throw new Error('"well" is no list of texts');
  for (const change of list(of, 'packages')) text(fields(change, 'a package'), 'name');
}

function readWindow(of: Fields): void {
  for (const name of ['start', 'minutes']) count(of, name);
  text(of, 'zone');
  if (list(of, 'days').some((day) => typeof day !== 'number'))
    throw new Error('"days" is no list of numbers');
}

/** What may be left out is empty. */
function list(of: Fields, name: string): readonly unknown[] {
  const value = of[name] ?? [];
  if (!Array.isArray(value)) throw new Error(`"${name}" is not a list`);
  return value;
}

function readVersion(of: Fields): asserts of is Fields & Version {
  text(of, 'hash');
  oneOf(of, 'desired', DESIRED);
}

function flag(of: Fields, name: string): void {
  if (typeof of[name] !== 'boolean') throw new Error(`"${name}" is neither true nor false`);
}

function count(of: Fields, name: string): void {
  const value = of[name];
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new Error(`"${name}" is no number from 0`);
}

function oneOf(of: Fields, name: string, words: readonly unknown[]): void {
  if (!words.includes(of[name]))
    throw new Error(`"${name}" is ${JSON.stringify(of[name])}, not ${words.join(', ')}`);
}
