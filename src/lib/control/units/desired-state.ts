import { ClusterError } from '../../error.ts';
import { findCircle } from '../../plan/index.ts';
import type { Desired } from '../../plan/model.ts';
import type { RegistryState, UnitRecord } from '../../registry/index.ts';
import { outdatedInstances, parseUnitFile, parseUnitName, requirements } from '../../unit/index.ts';
import type { Event, Verb } from '../event.ts';
import { requireMachines, type Session } from '../session.ts';
import { type ConvergeOptions, converge, throwFailures, write } from './converge.ts';
import type { Intent } from './decide.ts';
import { type Found, findFiles, nameUnits, noTemplate, notInactive, requireKnown } from './find-units.ts';
import { isGlobal } from './global.ts';

export interface VerbOptions {
  readonly block: boolean;
  /** Windows of 2 s to wait; 0 = as long as it takes. */
  readonly attempts: number;
  readonly replace: boolean;
  /** Restart one machine after another. */
  readonly rolling?: boolean;
}

const RANK: Readonly<Record<Desired, number>> = { inactive: 0, loaded: 1, launched: 2 };
const ATTEMPT_MS = 2000;

/** `submit`, `load`, `start`: makes units known and wanted in that state, creating them from files where needed. */
export async function want(
  session: Session,
  args: readonly string[],
  desired: Desired,
  options: VerbOptions,
): Promise<void> {
  let events: Event[] = [];
  let names: string[] = [];
  const { before, decision } = await write(session, async (state) => {
    events = [];
    if (desired !== 'inactive') requireMachines(state);
    const fits = desired === 'inactive' ? undefined : noTemplate;
    const found = await findFiles(state, args, options.replace, fits);
    names = found.map(({ name }) => name);
    if (desired !== 'inactive') refuseCircles(state, found, options.replace);
    return intentOf(state, found, desired, options.replace, events);
  });
  for (const event of events) session.emit(event);
  if (desired === 'inactive') return;
  const verb: Verb = desired === 'launched' ? 'start' : 'load';
  trigger(session, names, decision.globals, verb, options.block);
  const concerned = new Set([...names, ...decision.changed]);
  const joins = options.block && desired === 'launched';
  const { failures } = await converge(session, before, decision, concerned, { ...waiting(options), joins });
  throwFailures(failures);
}

function intentOf(
  state: RegistryState,
  found: readonly Found[],
  desired: Desired,
  replace: boolean,
  events: Event[],
): Intent {
  const units = new Map<string, Pick<UnitRecord, 'hash' | 'desired'>>();
  const files = new Map<string, string>();
  const warned = new Set<string>();
  for (const item of found) {
    const known = state.units.get(item.name);
    if (desired !== 'inactive' && parseUnitName(item.name).isTemplate)
      throw new ClusterError('template-activation', `cannot activate template "${item.name}"`, {
        unit: item.name,
        hint: `name instances, such as '${item.name.replace('@.', '@<1..3>.')}'`,
      });
    let { hash } = item;
    // Instances share a text: what is wrong with it is said once.
    const text = item.differs?.hash ?? hash;
    if (!warned.has(text)) for (const message of item.warnings) events.push({ kind: 'warning', message });
    warned.add(text);
    if (item.differs !== null && !replace)
      events.push({
        kind: 'differs',
        unit: item.name,
        path: item.differs.path,
        template: item.differs.template,
      });
    if (replace && known !== undefined) {
      if (item.differs === null) events.push({ kind: 'same', unit: item.name });
      else if (RANK[known.desired] > RANK[desired]) {
        events.push({ kind: 'unreplaceable', unit: item.name, desired: known.desired });
      } else {
        hash = item.differs.hash;
        files.set(hash, item.differs.text);
        if (item.differs.template) replaceInstances(state, item.name, hash, units);
      }
    }
    if (known === undefined) {
      events.push({ kind: 'created', unit: item.name });
      files.set(hash, item.text);
    }
    const keep = known !== undefined && desired === 'inactive';
    units.set(item.name, { hash, desired: keep ? known.desired : desired });
  }
  for (const event of outdated(state, units)) events.push(event);
  return { units, files };
}

/** Units that name each other in MachineOf can never be placed: nothing is written for them. */
function refuseCircles(state: RegistryState, found: readonly Found[], replace: boolean): void {
  const texts = new Map(
    found.map(({ name, text, differs }) => [name, replace && differs !== null ? differs.text : text]),
  );
  const leaders = (unit: string): readonly string[] => {
    const text = texts.get(unit) ?? state.files.get(state.units.get(unit)?.hash ?? '');
    return text?.includes('MachineOf') ? requirements(unit, parseUnitFile(text)).machineOf : [];
  };
  const circle = findCircle([...texts.keys()], leaders);
  if (circle === null) return;
  throw new ClusterError('machine-of-circle', `MachineOf goes in a circle: ${circle.join(' -> ')}`, {
    unit: circle[0] ?? '',
    hint: 'one of them must not name the other; nothing was changed',
  });
}

/** One changed template is rolled out to all its instances, each in the state that it is in. */
function replaceInstances(
  state: RegistryState,
  instance: string,
  hash: string,
  units: Map<string, Pick<UnitRecord, 'hash' | 'desired'>>,
): void {
  const { template } = parseUnitName(instance);
  for (const unit of state.units.values()) {
    if (units.has(unit.name)) continue;
    const name = parseUnitName(unit.name);
    if (name.template === template || unit.name === template)
      units.set(unit.name, { hash, desired: unit.desired });
  }
}

/** Templates that were replaced here while instances still run the old text. */
function outdated(state: RegistryState, units: ReadonlyMap<string, Pick<UnitRecord, 'hash'>>): Event[] {
  const out: Event[] = [];
  for (const [template, { hash }] of units) {
    if (!parseUnitName(template).isTemplate) continue;
    const old = outdatedInstances(template, hash, state.units.values()).filter((name) => !units.has(name));
    if (old.length > 0) out.push({ kind: 'outdated', template, units: old });
  }
  return out;
}

/** `stop` (to loaded), `unload` (to inactive). @returns the units that this changed. */
export async function lower(
  session: Session,
  args: readonly string[],
  desired: 'loaded' | 'inactive',
  options: VerbOptions,
): Promise<string[]> {
  let touched: string[] = [];
  let all: string[] = [];
  const { before, decision } = await write(session, (state) => {
    all = requireKnown(state, nameUnits(state, args, notInactive));
    const inactive =
      desired === 'loaded' ? all.filter((name) => state.units.get(name)?.desired === 'inactive') : [];
    if (inactive[0] !== undefined)
      throw new ClusterError('not-loaded', `Unable to stop unit ${inactive[0]} in state inactive`, {
        unit: inactive[0],
        hint: 'it is on no machine; cluster list-unit-files shows its state',
      });
    touched = all.filter((name) => RANK[state.units.get(name)?.desired ?? 'inactive'] > RANK[desired]);
    return { units: edits(state, touched, desired) };
  });
  trigger(
    session,
    touched,
    new Set(touched.filter((unit) => isGlobal(before, unit))),
    desired === 'loaded' ? 'stop' : 'unload',
    options.block,
  );
  const { failures } = await converge(session, before, decision, new Set([...all, ...decision.changed]), {
    ...waiting(options),
    lowering: true,
  });
  if (desired === 'inactive') for (const unit of touched) session.emit({ kind: 'inactive', unit });
  throwFailures(failures);
  return touched;
}

function edits(
  state: RegistryState,
  names: readonly string[],
  desired: Desired,
): Map<string, Pick<UnitRecord, 'hash' | 'desired'>> {
  return new Map(names.map((name) => [name, { hash: state.units.get(name)?.hash ?? '', desired }]));
}

/** Stops, removes and forgets units; the stop job has ended before the file goes. */
export async function destroy(
  session: Session,
  args: readonly string[],
  options: VerbOptions,
): Promise<void> {
  // Two writes, so that a run that dies between them leaves units that the registry still knows how to remove.
  const { before, decision } = await write(session, (state) => ({
    units: edits(state, requireKnown(state, nameUnits(state, args)), 'inactive'),
  }));
  const names = [...requireKnown(before, nameUnits(before, args))];
  const { failures } = await converge(session, before, decision, new Set([...names, ...decision.changed]), {
    ...waiting(options),
    lowering: true,
  });
  throwFailures(failures);
  await write(session, (state) => ({
    units: new Map(names.filter((name) => state.units.has(name)).map((name) => [name, null])),
  }));
  for (const unit of names) session.emit({ kind: 'destroyed', unit });
}

/** Restarts what runs, starts what is loaded; global units on each of their machines. */
export async function restart(
  session: Session,
  args: readonly string[],
  options: VerbOptions,
): Promise<void> {
  const state = await session.state();
  const names = requireKnown(state, nameUnits(state, args, notInactive));
  const idle = names.filter((name) => state.units.get(name)?.desired === 'inactive');
  if (idle[0] !== undefined)
    throw new ClusterError('not-loaded', `Unable to restart unit ${idle[0]} in state inactive`, {
      unit: idle[0],
      hint: `cluster start ${idle[0]}`,
    });
  const running = names.filter((name) => state.units.get(name)?.desired === 'launched');
  const loaded = names.filter((name) => state.units.get(name)?.desired === 'loaded');
  const failures: ClusterError[] = [];
  if (running.length > 0) {
    const { restartRunning } = await import('./restart.ts');
    failures.push(...(await restartRunning(session, state, running, waiting(options), options.rolling)));
  }
  if (loaded.length > 0) await want(session, loaded, 'launched', options);
  throwFailures(failures);
}

function trigger(
  session: Session,
  names: readonly string[],
  globals: ReadonlySet<string>,
  verb: Verb,
  block: boolean,
): void {
  for (const unit of names) {
    const global = globals.has(unit);
    if (global || !block) session.emit({ kind: 'triggered', unit, verb, global });
  }
}

function waiting(options: VerbOptions): ConvergeOptions {
  return { block: options.block, timeoutMs: options.attempts * ATTEMPT_MS };
}
