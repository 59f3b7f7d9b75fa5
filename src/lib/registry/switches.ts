import type { Store, Write } from '../store/port.ts';
import { type SwitchRecord, switchesPrefix } from './gateways.ts';

/** How many switches of one frontend are remembered. */
const KEPT = 20;

/** Switches of a frontend, newest first; values that do not read well are left out. */
export async function loadSwitches(store: Store, prefix: string, frontend: string): Promise<SwitchRecord[]> {
  const { entries } = await store.range(switchesPrefix(prefix, frontend));
  return entries.flatMap(({ value }) => readSwitch(value) ?? []).reverse();
}

/** Ids of the frontends that were ever switched. */
export async function switchedFrontends(store: Store, prefix: string): Promise<string[]> {
  const all = switchesPrefix(prefix, '').replace(/\/$/, '');
  const { entries } = await store.range(all);
  const ids = entries.map(({ key }) => key.slice(all.length).split('/')[0] ?? '');
  return [...new Set(ids)].sort();
}

/**
 * The writes that remember a switch and forget what is too old. The key is the revision that the switch rests on: it
 * grows, and no two switches of one frontend can succeed on the same.
 */
export async function rememberSwitch(
  store: Store,
  prefix: string,
  record: SwitchRecord,
  revision: number,
): Promise<Write[]> {
  const below = switchesPrefix(prefix, record.frontend);
  const { entries } = await store.range(below);
  const old = entries.slice(0, Math.max(0, entries.length - (KEPT - 1)));
  const put = `${below}${String(revision).padStart(16, '0')}`;
  return [
    { put, value: JSON.stringify(record) },
    ...old.filter(({ key }) => key !== put).map(({ key }) => ({ remove: key })),
  ];
}

/** The writes that forget a frontend's switches, for when it is removed. */
export async function forgetSwitches(store: Store, prefix: string, frontend: string): Promise<Write[]> {
  const { entries } = await store.range(switchesPrefix(prefix, frontend));
  return entries.slice(0, KEPT + 1).map(({ key }) => ({ remove: key }));
}

function readSwitch(value: string): SwitchRecord | null {
  try {
    const record = JSON.parse(value) as SwitchRecord;
    const fine =
      record.v === 1 &&
      typeof record.frontend === 'string' &&
      typeof record.to === 'string' &&
      typeof record.who === 'string' &&
      typeof record.when === 'string' &&
      (record.from === null || typeof record.from === 'string');
    return fine ? record : null;
  } catch {
    return null;
  }
}
