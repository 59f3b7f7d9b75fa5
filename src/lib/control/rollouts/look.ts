import { ClusterError } from '../../error.ts';
import { decide, endsByItself, hashOn } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import {
  type HealthFacts,
  judge,
  type Rollout,
  type RolloutItem,
  type Version,
} from '../../rollout/index.ts';
import { parseUnitName } from '../../unit/index.ts';
import { within } from '../../within.ts';
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
}

/** Looks at all units of a rollout and at the other instances of their templates, machine by machine, side by side. */
export async function look(
  session: Session,
  state: RegistryState,
  rollout: Pick<Rollout, 'items'>,
  sources: LookSources,
): Promise<Looks> {
  const places = rollout.items.map((item) => machineOf(state, item));
  const others = siblingsOf(state, rollout);
  const wishes = new Map<string, Set<string>>();
  const ask = (id: string | null | undefined, unit: string): void => {
    if (id == null || !state.machines.has(id)) return;
    wishes.set(id, (wishes.get(id) ?? new Set()).add(unit));
  };
  for (const [at, { unit }] of rollout.items.entries()) ask(places[at], unit);
  for (const { unit, machine } of others) ask(machine, unit);

  const answers = new Map(
    await Promise.all(
      [...wishes].map(async ([id, units]) => {
        const answer = lookOn(session, state, state.machines.get(id)!, units).catch((error: unknown) => {
          if (error instanceof ClusterError) return null;
          throw error;
        });
        return [id, await within(LOOK_MS, answer, null)] as const;
      }),
    ),
  );
  const items = rollout.items.map((item, at): Look => {
    const { unit } = item;
    const wanted = wantedOf(state, item);
    const id = places[at];
    const record = id == null ? null : (state.machines.get(id) ?? null);
    const answer = record === null ? undefined : answers.get(record.id);
    const found = answer === undefined ? NOWHERE : answer?.get(unit);
    const servers = record === null ? [] : serversOn(state, unit, record, found?.installed, sources);
    const facts = factsOf(state, unit, wanted, withServers(found, sources, servers, item.announced === true));
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
  state: RegistryState,
  unit: string,
  wanted: Version | null,
  found: Found | undefined,
): HealthFacts {
  const text = state.files.get(wanted?.hash ?? '') ?? '';
  const known = found ?? { ...NOWHERE, installed: undefined };
  return { ...known, wanted, endsByItself: endsByItself(text) };
}

async function lookOn(
  session: Session,
  state: RegistryState,
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
  state: RegistryState,
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
