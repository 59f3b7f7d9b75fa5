import { ClusterError } from '../../error.ts';
import { processesLeft } from '../../machine/index.ts';
import { decide, endsByItself, hashOn } from '../../plan/index.ts';
import type { LockEntry, MachineRecord, RegistryState } from '../../registry/index.ts';
import {
  type Guard,
  type Health,
  type HealthFacts,
  judge,
  type LockNeed,
  type Rollout,
  type RolloutItem,
  type Version,
} from '../../rollout/index.ts';
import { parseUnitName } from '../../unit/index.ts';
import { within } from '../../within.ts';
import { reportUnreachable } from '../report.ts';
import type { Session } from '../session.ts';
import { observe } from '../units/ask.ts';
import { isGlobal } from '../units/global.ts';
import { askCheck, checkOf } from './check.ts';
import { returned, type Servers, serversOf, type UnitServer } from './servers.ts';

/** A machine that takes longer to answer a look counts as silent for this look. */
const LOOK_MS = 5_000;

/** What was seen of one item at one moment. */
export interface Look {
  readonly wanted: Version | null;
  /** Where the unit is now; null = nowhere. */
  readonly machine: MachineRecord | null;
  /** Hash of what is installed there; null = nothing of ours, or not known. */
  readonly installed: string | null;
  readonly health: ReturnType<typeof judge>;
  readonly run?: string;
  /** Only machines: what is well there, and the locks of which it needs a slot. */
  readonly well?: readonly string[];
  readonly locks?: readonly LockNeed[];
  /** Only drains: nothing of the unit is left on the machine that it leaves. */
  readonly gone?: boolean;
  /** What is announced for it there. */
  readonly servers: readonly UnitServer[];
}

/** What looks rest on besides the registry's newest state. */
export interface LookSources {
  /** null = what is announced matters to no unit of the rollout. */
  readonly servers: Servers | null;
  /** Files of the rollout that the registry may have no more, by hash. */
  readonly files: ReadonlyMap<string, string>;
}

export interface Looks {
  /** By position in the rollout's items. */
  readonly items: readonly Look[];
  readonly othersDown: readonly string[];
  /** Only of machines. */
  readonly guards?: readonly Guard[];
  readonly locks?: ReadonlyMap<string, LockEntry>;
}

/** Looks at all units of a rollout and at the other instances of their templates, machine by machine, side by side. */
export async function look(
  session: Session,
  state: RegistryState,
  rollout: Pick<Rollout, 'kind' | 'items'>,
  sources: LookSources,
): Promise<Looks> {
  if (rollout.kind === 'drain') return await lookAtDrain(session, state, rollout.items);
  const places = rollout.items.map((item) => machineOf(state, item));
  const others = siblingsOf(state, rollout);
  const wishes = new Map<string, Set<string>>();
  const ask = (id: string | null | undefined, unit: string): void => {
    if (id == null || !state.machines.has(id)) return;
    wishes.set(id, (wishes.get(id) ?? new Set()).add(unit));
  };
  for (const [at, { unit }] of rollout.items.entries()) ask(places[at], unit);
  for (const { unit, machine } of others) ask(machine, unit);

  const answers = await askAbout(session, state, wishes);
  const items = rollout.items.map((item, at): Look => {
    const { unit } = item;
    const wanted = wantedOf(state, item);
    const id = places[at];
    const record = id == null ? null : (state.machines.get(id) ?? null);
    const answer = record === null ? undefined : answers.get(record.id);
    const found = answer === undefined ? NOWHERE : answer?.get(unit);
    const servers = record === null ? [] : serversOn(state, unit, record, found?.installed, sources);
    const facts = factsOf(state, wanted, withServers(found, sources, servers, item.announced === true));
    const run =
      facts.active === 'active' || facts.active === 'reloading' ? answer?.get(unit)?.run : undefined;
    // A global unit that may run nowhere is recorded, and no machine is to have it.
    const isOnPaper = id == null && wanted !== null && isGlobal(state, unit);
    const health = isOnPaper ? ({ verdict: 'good', why: 'recorded' } as const) : judge(facts);
    return {
      wanted,
      machine: record,
      installed: facts.installed ?? null,
      health,
      servers,
      ...(run !== undefined && { run }),
    };
  });
  const othersDown = others
    .filter(({ unit, machine }) => {
      const found = answers.get(machine)?.get(unit);
      const record = state.machines.get(machine)!;
      const servers = serversOn(state, unit, record, found?.installed, sources);
      return found?.active !== 'active' || !withServers(found, sources, servers, false)!.checks.every(isOk);
    })
    .map(({ unit }) => unit);
  return { items, othersDown };
}

/** What machines say of these units, by machine id; null for one that does not answer. */
async function askAbout(
  session: Session,
  state: RegistryState,
  wishes: ReadonlyMap<string, ReadonlySet<string>>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, Found> | null>> {
  return new Map(
    await Promise.all(
      [...wishes].map(async ([id, units]) => {
        const record = state.machines.get(id)!;
        const answer = lookOn(session, state, record, units).catch((error: unknown) =>
          silence(session, record, error),
        );
        return [id, await within(LOOK_MS, answer, null)] as const;
      }),
    ),
  );
}

/** Machines that were named in a run because they did not answer. */
const named = new WeakMap<Session, Set<string>>();

/** A machine that does not answer is named once in a run, in the words of every command. */
function silence(session: Session, record: MachineRecord, error: unknown): null {
  if (!(error instanceof ClusterError)) throw error;
  const known = named.get(session) ?? new Set();
  if (!known.has(record.id)) reportUnreachable(session, record, error);
  named.set(session, known.add(record.id));
  return null;
}

/** How units are on one machine, where the registry wants them; null = it does not answer. */
export async function healthOn(
  session: Session,
  state: Pick<RegistryState, 'files' | 'units'>,
  record: MachineRecord,
  units: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Health> | null> {
  const answer = lookOn(session, state, record, units).catch((error: unknown) =>
    silence(session, record, error),
  );
  const found = await within(LOOK_MS, answer, null);
  if (found === null) return null;
  return new Map(
    [...units].map((unit) => [
      unit,
      judge(factsOf(state, wantedOf(state, { unit, machine: record.id }), found.get(unit))),
    ]),
  );
}

/** A unit of a drain is well when it is well where it went and nothing of it is left where it was. */
async function lookAtDrain(
  session: Session,
  state: RegistryState,
  items: readonly RolloutItem[],
): Promise<Looks> {
  const wishes = new Map<string, Set<string>>();
  const ask = (id: string | null, unit: string): void => {
    if (id === null || !state.machines.has(id)) return;
    wishes.set(id, (wishes.get(id) ?? new Set()).add(unit));
  };
  const placeOf = ({ unit, machine, global }: RolloutItem): string | null =>
    global ? machine : (state.units.get(unit)?.machine ?? null);
  for (const item of items) {
    ask(placeOf(item), item.unit);
    ask(item.machine, item.unit);
  }
  const answers = await askAbout(session, state, wishes);
  const left = await leftOn(session, state, items, answers);
  return {
    items: items.map((item): Look => {
      const [wanted, place] = [wantedOf(state, item), placeOf(item)];
      const was = item.machine === null ? undefined : state.machines.get(item.machine);
      const machine = place === null ? null : (state.machines.get(place) ?? null);
      const why = was === undefined ? undefined : whyThere(answers.get(was.id), left.get(was.id), item.unit);
      const gone = why === undefined;
      const answer = machine === null ? undefined : answers.get(machine.id);
      const facts = factsOf(state, wanted, answer === undefined ? NOWHERE : answer?.get(item.unit));
      const here = judge(facts);
      const isThere = place === null || place === item.machine;
      const there: Health = { verdict: gone ? 'good' : 'starting', why: why ?? 'is gone' };
      const isBefore = item.state === 'waiting' && place === item.machine;
      const health = isBefore ? here : isThere ? there : here.verdict === 'good' ? there : here;
      const isNowhere = item.global === true && gone;
      return {
        wanted,
        machine: isBefore ? (was ?? null) : isNowhere ? null : machine,
        installed: facts.installed ?? null,
        health,
        servers: [],
        gone,
      };
    }),
    othersDown: [],
  };
}

/** Why a unit has not left a machine; undefined = it has. */
function whyThere(
  found: ReadonlyMap<string, Found> | null | undefined,
  left: ReadonlyMap<string, number> | null | undefined,
  unit: string,
): string | undefined {
  const seen = found?.get(unit);
  if (seen === undefined || left == null) return 'the machine that it leaves does not answer';
  if (seen.installed !== null) return 'is still on the machine that it leaves';
  if (seen.active !== 'inactive' && seen.active !== 'failed')
    return `is still ${seen.active} on the machine that it leaves`;
  const processes = left.get(unit) ?? 0;
  if (processes === 0) return undefined;
  return `has left ${processes === 1 ? 'a process' : `${processes} processes`} behind on the machine that it leaves`;
}

/** Processes of units that are no longer installed where they were, by machine; null = it does not answer. */
async function leftOn(
  session: Session,
  state: RegistryState,
  items: readonly RolloutItem[],
  answers: ReadonlyMap<string, ReadonlyMap<string, Found> | null>,
): Promise<ReadonlyMap<string, ReadonlyMap<string, number> | null>> {
  const machines = [...new Set(items.flatMap(({ machine }) => machine ?? []))];
  return new Map(
    await Promise.all(
      machines.map(async (id) => {
        const record = state.machines.get(id);
        const units = items
          .filter(({ unit, machine }) => machine === id && answers.get(id)?.get(unit)?.installed === null)
          .map(({ unit }) => unit);
        if (record === undefined) return [id, null] as const;
        const asked = session.machine(record).then((machine) => processesLeft(machine, units));
        const left = asked.catch((error: unknown) => silence(session, record, error));
        return [id, await within(LOOK_MS, left, null)] as const;
      }),
    ),
  );
}

type Found = Pick<HealthFacts, 'active' | 'sub' | 'restarts' | 'checks'> & {
  readonly installed: string | null;
  readonly run?: string;
};

const NOWHERE: Found = { installed: null, active: 'inactive', sub: 'dead', restarts: 0, checks: [] };

const isOk = ({ ok }: HealthFacts['checks'][number]): boolean => ok;

/** What is announced for the file that a unit has on a machine, or for the one that it is to have. */
function serversOn(
  state: RegistryState,
  unit: string,
  record: MachineRecord,
  installed: string | null | undefined,
  { servers, files }: LookSources,
): readonly UnitServer[] {
  if (servers === null) return [];
  const wanted = state.units.get(unit);
  const hashes = new Set([installed ?? '', wanted === undefined ? '' : hashOn(wanted, record.id)]);
  const texts = [...hashes].flatMap((hash) => files.get(hash) ?? state.files.get(hash) ?? []);
  return serversOf(servers, state, unit, record, texts);
}

/** The same with what the registrator's check and gateways say. */
function withServers(
  found: Found | undefined,
  { servers }: LookSources,
  mine: readonly UnitServer[],
  announcedBefore: boolean,
): Found | undefined {
  if (found === undefined || servers === null) return found;
  return { ...found, checks: [...found.checks, ...returned(servers, mine, announcedBefore)] };
}

/** Undefined: the machine did not answer. */
function factsOf(
  state: Pick<RegistryState, 'files' | 'units'>,
  wanted: Version | null,
  found: Found | undefined,
): HealthFacts {
  const text = state.files.get(wanted?.hash ?? '') ?? '';
  const known = found ?? { ...NOWHERE, installed: undefined };
  return { ...known, wanted, endsByItself: endsByItself(text) };
}

async function lookOn(
  session: Session,
  state: Pick<RegistryState, 'files'>,
  record: MachineRecord,
  units: ReadonlySet<string>,
): Promise<ReadonlyMap<string, Found>> {
  const machine = await session.machine(record);
  const names = [...units];
  const [{ observations }, ages] = await Promise.all([
    observe(machine, record.id, units, false),
    machine.ages(names),
  ]);
  const age = new Map(ages.map((one) => [one.unit, one]));
  return new Map(
    await Promise.all(
      observations.map(async ({ unit, hash, active, sub }) => {
        const text = state.files.get(hash ?? '') ?? '';
        const check = active === 'active' ? checkOf(unit, text) : null;
        const checks = check === null ? [] : [await askCheck(machine, check)];
        const { restarts = null, since = null } = age.get(unit) ?? {};
        return [unit, { installed: hash, active, sub, restarts, checks, run: String(since) }] as const;
      }),
    ),
  );
}

/** What the registry wants of an item now; null = its unit is not known. */
export function wantedOf(
  state: Pick<RegistryState, 'units'>,
  { unit, machine }: Pick<RolloutItem, 'unit' | 'machine'>,
): Version | null {
  const record = state.units.get(unit);
  if (record === undefined) return null;
  return { hash: machine === null ? record.hash : hashOn(record, machine), desired: record.desired };
}

function machineOf(state: RegistryState, { unit, machine }: RolloutItem): string | null {
  return machine ?? state.units.get(unit)?.machine ?? null;
}

/** Launched instances of the same templates that are no items, each with its machine. */
function siblingsOf(
  state: RegistryState,
  { items }: Pick<Rollout, 'items'>,
): { unit: string; machine: string }[] {
  const mine = new Set(items.map(({ unit }) => unit));
  const templates = new Set(
    items.map(({ unit }) => parseUnitName(unit).template).filter((name) => name !== null),
  );
  return decide(state)
    .assignments.filter(({ unit, desired }) => desired === 'launched' && !mine.has(unit))
    .filter(({ unit }) => templates.has(parseUnitName(unit).template ?? ''))
    .map(({ unit, machine }) => ({ unit, machine }));
}
