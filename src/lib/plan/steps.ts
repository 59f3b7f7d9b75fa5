import { endsByItself } from './finished-oneshots.ts';
import type { Action, Assignment, Observation, Step, Why } from './model.ts';

export interface StepOptions {
  /** Machines that get no steps, because nothing can be done there now. */
  readonly skip?: ReadonlySet<string> | undefined;
  /** Why a unit is, or is no longer, to be on a machine; used where the unit's state alone does not tell. */
  readonly why?: Why;
  /** Unit file text by hash. A oneshot that has done its work is told by it. */
  readonly files?: ReadonlyMap<string, string>;
  /** Units that a person asks to start now: a oneshot that has done its work runs again. */
  readonly asked?: ReadonlySet<string>;
  /** Also start what is asked for and still starting: such a start joins systemd's job and learns how it ends. */
  readonly join?: boolean;
  /** Why a unit must not be started now, although it is wanted launched. */
  readonly held?: (unit: string) => string | undefined;
  /** Why a unit that should be loaded only cannot be stopped. */
  readonly upheld?: (unit: string) => string | undefined;
}

type Wish = { readonly action: Exclude<Action, 'reload'>; readonly unit: string; readonly reason: string };

const ORDER: readonly Wish['action'][] = ['stop', 'remove', 'install', 'start'];
const RUNNING: ReadonlySet<string> = new Set(['active', 'activating', 'reloading', 'refreshing']);
const SHORT_HASH = 7;
const UNSETTLED = 'an earlier run ended before this was done';

/**
 * The steps from what was observed to what is assigned, machine by machine in order of their ids; on each: stop,
 * remove, install, one reload, start. Empty when all is as it should be. Units that we did not install (`hash: null`)
 * are left alone unless they are assigned. Every reason that a person reads for a step is made here or by `why`.
 */
export function steps(
  assignments: readonly Assignment[],
  observations: readonly Observation[],
  options: StepOptions = {},
): Step[] {
  const wanted = byMachine(assignments);
  const found = byMachine(observations);
  const machines = [...new Set([...wanted.keys(), ...found.keys()])].sort();
  const out: Step[] = [];
  for (const machine of machines) {
    if (options.skip?.has(machine)) continue;
    const wishes = wishesFor(machine, wanted.get(machine), found.get(machine), options);
    for (const step of inOrder(machine, wishes)) out.push(step);
  }
  return out;
}

function wishesFor(
  machine: string,
  wanted: ReadonlyMap<string, Assignment> | undefined,
  found: ReadonlyMap<string, Observation> | undefined,
  options: StepOptions,
): Wish[] {
  const why = (unit: string, otherwise: string): string => options.why?.(machine, unit) ?? otherwise;
  const wishes: Wish[] = [];
  for (const seen of found?.values() ?? []) {
    if (wanted?.has(seen.unit) || !isOurs(seen)) continue;
    const reason = seen.hash === null ? UNSETTLED : 'no longer wanted on this machine';
    wishes.push(...leaving(seen, why(seen.unit, reason)));
  }
  for (const want of wanted?.values() ?? []) {
    const seen = found?.get(want.unit);
    if (seen === undefined || seen.hash === null) {
      wishes.push(...coming(want, why(want.unit, 'not on this machine yet')));
    } else if (seen.hash !== want.hash) {
      const reason = `content changed from ${short(seen.hash)} to ${short(want.hash)}`;
      if (needsStop(seen)) wishes.push({ action: 'stop', unit: want.unit, reason });
      wishes.push(...coming(want, reason));
    } else if (seen.load === 'not-found' && !seen.unsettled) {
      wishes.push(...coming(want, 'its file is not on the machine any more'));
    } else if (seen.unsettled) {
      wishes.push(...arriving(want, seen, UNSETTLED, options));
    } else if (seen.boot !== undefined && seen.boot !== (want.desired === 'launched')) {
      const reason = seen.boot ? 'should be loaded only and would start at boot' : 'would not start at boot';
      // A stop that is carried out takes the wish to start at boot away by itself.
      const stops = want.desired === 'launched' ? [] : stopping(seen);
      wishes.push(...(stops.length > 0 ? stops : arriving(want, seen, reason, options)));
    } else if (want.desired === 'launched') {
      wishes.push(...launching(want, seen, options));
    } else wishes.push(...stopping(seen));
  }
  return wishes.filter(({ action, unit }) => {
    if (action === 'start') return options.held?.(unit) === undefined;
    const isKept = action === 'stop' && wanted?.get(unit)?.desired === 'loaded';
    return !isKept || options.upheld?.(unit) === undefined;
  });
}

function leaving(seen: Observation, reason: string): Wish[] {
  const { unit } = seen;
  const remove: Wish = { action: 'remove', unit, reason };
  return needsStop(seen) ? [{ action: 'stop', unit, reason }, remove] : [remove];
}

/** What is installed as it should be, but for what goes with the file: links, and what systemd has read. */
function arriving(want: Assignment, seen: Observation, reason: string, options: StepOptions): Wish[] {
  const install: Wish = { action: 'install', unit: want.unit, reason };
  const rest = want.desired === 'launched' ? launching(want, seen, options) : stopping(seen);
  return [install, ...rest];
}

function stopping({ unit, active }: Observation): Wish[] {
  if (!RUNNING.has(active)) return [];
  return [{ action: 'stop', unit, reason: `should be loaded only and is ${active}` }];
}

/** Ours by the manifest, or what is left of it: a change that was not ended, a process whose file is gone. */
function isOurs(seen: Observation): boolean {
  if (seen.hash !== null || seen.unsettled === true) return true;
  return seen.load === 'not-found' && needsStop(seen);
}

function coming({ unit, desired }: Assignment, reason: string): Wish[] {
  const install: Wish = { action: 'install', unit, reason };
  return desired === 'launched' ? [install, { action: 'start', unit, reason }] : [install];
}

/** For a unit that is installed as it should be and wanted launched. */
function launching({ unit, hash }: Assignment, seen: Observation, options: StepOptions): Wish[] {
  const asked = options.asked?.has(unit) ?? false;
  const { active, sub } = seen;
  if (active === 'activating' && asked && options.join) {
    const start: Wish = { action: 'start', unit, reason: 'it is still starting' };
    // A unit that waits for its next try is stopped first: its start would wait with it.
    return sub.startsWith('auto-restart') ? [{ ...start, action: 'stop' }, start] : [start];
  }
  if (active === 'active' && asked && options.join && (seen.restarts ?? 0) > 0)
    return [{ action: 'start', unit, reason: `systemd has restarted it (${seen.restarts} in all)` }];
  if (RUNNING.has(active)) return [];
  if (seen.unmet && !asked) return [];
  if (active === 'inactive' && !asked && endsByItself(options.files?.get(hash) ?? '')) return [];
  return [
    {
      action: 'start',
      unit,
      reason: `should be launched and is ${active}${seen.why ? `: ${seen.why}` : ''}`,
    },
  ];
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
