import type { Action, Assignment, Observation, Step } from './model.ts';

export interface DiffOptions {
  /** Machines that get no steps, because nothing can be done there now. */
  readonly skip?: ReadonlySet<string>;
  /** Words for why a unit is, or is no longer, to be on a machine; used where the states alone do not tell. */
  readonly why?: (machine: string, unit: string) => string | undefined;
}

type Wish = { readonly action: Exclude<Action, 'reload'>; readonly unit: string; readonly reason: string };

const ORDER: readonly Wish['action'][] = ['stop', 'remove', 'install', 'start'];
const RUNNING: ReadonlySet<string> = new Set(['active', 'activating', 'reloading', 'refreshing']);
const SHORT_HASH = 7;

/**
 * The steps from what is to what should be, machine by machine in order of their ids; on each: stop, remove, install,
 * one reload, start. Empty when all is as it should be. Units that we did not install (`hash: null`) are left alone
 * unless they are assigned.
 */
export function diff(
  assignments: readonly Assignment[],
  observations: readonly Observation[],
  options: DiffOptions = {},
): Step[] {
  const wanted = byMachine(assignments);
  const found = byMachine(observations);
  const machines = [...new Set([...wanted.keys(), ...found.keys()])].sort();
  const steps: Step[] = [];
  for (const machine of machines) {
    if (options.skip?.has(machine)) continue;
    const why = (unit: string, otherwise: string) => options.why?.(machine, unit) ?? otherwise;
    const wishes = wishesFor(wanted.get(machine), found.get(machine), why);
    for (const step of inOrder(machine, wishes)) steps.push(step);
  }
  return steps;
}

function wishesFor(
  wanted: ReadonlyMap<string, Assignment> | undefined,
  found: ReadonlyMap<string, Observation> | undefined,
  why: (unit: string, otherwise: string) => string,
): Wish[] {
  const wishes: Wish[] = [];
  for (const seen of found?.values() ?? []) {
    if (seen.hash !== null && !wanted?.has(seen.unit)) {
      wishes.push(...leaving(seen, why(seen.unit, 'no longer wanted on this machine')));
    }
  }
  for (const want of wanted?.values() ?? []) {
    const seen = found?.get(want.unit);
    if (seen === undefined || seen.hash === null) {
      wishes.push(...coming(want, why(want.unit, 'not on this machine yet')));
    } else if (seen.hash !== want.hash) {
      const reason = `content changed from ${short(seen.hash)} to ${short(want.hash)}`;
      if (needsStop(seen)) wishes.push({ action: 'stop', unit: want.unit, reason });
      wishes.push(...coming(want, reason));
    } else if (seen.load === 'not-found') {
      wishes.push(...coming(want, 'its file is not on the machine any more'));
    } else {
      wishes.push(...asDesired(want, seen));
    }
  }
  return wishes;
}

function leaving(seen: Observation, reason: string): Wish[] {
  const { unit } = seen;
  const remove: Wish = { action: 'remove', unit, reason };
  return needsStop(seen) ? [{ action: 'stop', unit, reason }, remove] : [remove];
}

function coming({ unit, desired }: Assignment, reason: string): Wish[] {
  const install: Wish = { action: 'install', unit, reason };
  return desired === 'launched' ? [install, { action: 'start', unit, reason }] : [install];
}

function asDesired({ unit, desired }: Assignment, { active }: Observation): Wish[] {
  if (desired === 'launched' && !RUNNING.has(active)) {
    return [{ action: 'start', unit, reason: `should be launched and is ${active}` }];
  }
  if (desired === 'loaded' && RUNNING.has(active)) {
    return [{ action: 'stop', unit, reason: `should be loaded only and is ${active}` }];
  }
  return [];
}

/** A unit that is still on its way down has to be waited for before its file goes. */
const needsStop = ({ active }: Observation): boolean => RUNNING.has(active) || active === 'deactivating';

function* inOrder(machine: string, wishes: readonly Wish[]): Generator<Step> {
  const files = wishes.filter(({ action }) => action === 'remove' || action === 'install');
  for (const action of ORDER) {
    if (action === 'start' && files.length > 0) {
      const count = files.length === 1 ? '1 unit file' : `${files.length} unit files`;
      yield { machine, action: 'reload', unit: '', reason: `${count} changed` };
    }
    const group = wishes.filter((wish) => wish.action === action);
    group.sort((a, b) => (a.unit < b.unit ? -1 : 1));
    for (const { unit, reason } of group) yield { machine, action, unit, reason };
  }
}

function byMachine<T extends { readonly machine: string; readonly unit: string }>(items: readonly T[]) {
  const machines = new Map<string, Map<string, T>>();
  for (const item of items) {
    const units = machines.get(item.machine);
    if (units === undefined) machines.set(item.machine, new Map([[item.unit, item]]));
    else units.set(item.unit, item);
  }
  return machines;
}

const short = (hash: string): string => hash.slice(0, SHORT_HASH);
