import { ClusterError } from '../../error.ts';
import { type Machine, readBootId } from '../../machine/index.ts';
import { decide } from '../../plan/index.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import {
  allowed,
  groupOf,
  judgeMachine,
  type LockNeed,
  type Rollout,
  type Version,
} from '../../rollout/index.ts';
import { within } from '../../within.ts';
import type { Session } from '../session.ts';
import { freeReturned } from './free-returned.ts';
import type { Look, Looks } from './look.ts';
import { ETCD, GATEWAY, type Roles, readRoles } from './roles.ts';

/** A machine that takes longer to answer a look counts as silent for this look. */
const LOOK_MS = 5_000;
/** How often slots of machines that came back are looked for while nothing is under way. */
const FREE_EVERY_MS = 5_000;

/** What each item of a rollout of machines wants: that there is the machine. */
export const PRESENT: Version = { hash: '', desired: 'launched' };

/** What one machine answered. */
export interface MachineSeen {
  readonly bootId: string;
  /** Units that should run there and do. */
  readonly active: readonly string[];
  readonly failed: readonly string[];
}

/** Looks at machines again and again, for one driver. */
export class MachineLooker {
  readonly #session: Session;
  /** They did not answer the last time, so that their connection is made anew. */
  readonly #silent = new Set<string>();
  #freed = Number.NEGATIVE_INFINITY;

  constructor(session: Session) {
    this.#session = session;
  }

  /** @param busy positions of items with a step under way: these machines are not asked, since the step does. */
  async look(state: RegistryState, rollout: Rollout, busy: ReadonlySet<number> = new Set()): Promise<Looks> {
    const { items } = rollout;
    const records = items.map(({ machine }) => state.machines.get(machine ?? ''));
    const asked = records.filter((record, at) => record !== undefined && !busy.has(at)) as MachineRecord[];
    const [seen, roles] = await Promise.all([this.#ask(state, asked), readRoles(this.#session, state)]);
    const isIdle = !items.some((item) => item.state === 'acting' || item.state === 'returning');
    const now = performance.now();
    if (isIdle && busy.size === 0 && now - this.#freed > FREE_EVERY_MS) {
      this.#freed = now;
      await this.freeSlots(state, seen, roles);
    }
    const { locks } = await (await this.#session.locks()).load();

    const looked = items.map((item, at): Look => {
      const record = records[at] ?? null;
      const found = record === null ? undefined : seen.get(record.id);
      const well = record === null || found === undefined ? [] : wellOn(record.id, found, roles);
      const health = judgeMachine({
        answers: found !== undefined,
        expected: stillExpected(state, item.machine ?? '', item.well ?? []),
        well,
        failed: found?.failed ?? [],
      });
      return {
        wanted: record === null ? null : PRESENT,
        machine: record,
        installed: null,
        servers: [],
        health,
        ...(found !== undefined && { run: found.bootId, well }),
        locks: locksOf(rollout, at, roles),
      };
    });
    const isUp = (id: string): boolean => {
      const at = items.findIndex(({ machine }) => machine === id);
      return looked[at]?.health.verdict === 'good';
    };
    const goingElsewhere = new Set([...locks.values()].flatMap(({ lock }) => Object.keys(lock.holders)));
    const guards = [roles.etcd, roles.gateway].flatMap((role) => {
      if (role === null) return [];
      const up = [...items.keys()].filter((at) => {
        const id = items[at]!.machine ?? '';
        return role.up.has(id) && isUp(id);
      });
      const own = new Set(items.map(({ machine }) => machine));
      const others = [...role.up].filter((id) => !own.has(id) && !goingElsewhere.has(id));
      return [
        {
          what: role.what,
          least: role.least,
          all: role.all,
          up,
          upElsewhere: others.length + role.upNowhere,
        },
      ];
    });
    return { items: looked, othersDown: [], guards, locks };
  }

  async #ask(state: RegistryState, records: readonly MachineRecord[]): Promise<Map<string, MachineSeen>> {
    const units = launchedOn(state);
    const answers = await Promise.all(
      records.map(async (record) => {
        const again = this.#silent.has(record.id);
        const answer = askMachine(this.#session, record, units.get(record.id) ?? [], again);
        const seen = await within(LOOK_MS, answer, null);
        if (seen === null) this.#silent.add(record.id);
        else this.#silent.delete(record.id);
        return seen === null ? [] : [[record.id, seen] as const];
      }),
    );
    return new Map(answers.flat());
  }

  /** Gives back the slots of machines that are back and well. */
  async freeSlots(
    state: RegistryState,
    seen: ReadonlyMap<string, MachineSeen> = new Map(),
    known?: Roles,
  ): Promise<void> {
    const roles = known ?? (await readRoles(this.#session, state));
    await freeReturned(this.#session, state, async (record, expected) => {
      const found = seen.get(record.id) ?? (await this.#ask(state, [record])).get(record.id);
      if (found === undefined) return null;
      const health = judgeMachine({
        answers: true,
        expected: stillExpected(state, record.id, expected),
        well: wellOn(record.id, found, roles),
        failed: found.failed,
      });
      return health.verdict === 'good' ? found.bootId : null;
    });
  }
}

/** Null: it did not answer. */
async function askMachine(
  session: Session,
  record: MachineRecord,
  units: readonly string[],
  again: boolean,
): Promise<MachineSeen | null> {
  try {
    const machine: Machine = again ? await session.machineAgain(record) : await session.machine(record);
    const [bootId, states] = await Promise.all([readBootId(machine), machine.statuses(units)]);
    return {
      bootId,
      active: states.filter(({ active }) => active === 'active').map(({ unit }) => unit),
      failed: states.filter(({ active }) => active === 'failed').map(({ unit }) => unit),
    };
  } catch (error) {
    if (error instanceof ClusterError) return null;
    throw error;
  }
}

function wellOn(id: string, { active }: MachineSeen, { etcd, gateway }: Roles): string[] {
  return [...active, ...(etcd?.up.has(id) ? [ETCD] : []), ...(gateway?.up.has(id) ? [GATEWAY] : [])];
}

/** Of what was well on a machine, what is still wanted there. */
function stillExpected(state: RegistryState, id: string, well: readonly string[]): string[] {
  const units = new Set(launchedOn(state).get(id));
  return well.filter((name) => name === ETCD || name === GATEWAY || units.has(name));
}

/** A state is looked at many times. */
const LAUNCHED = new WeakMap<RegistryState, ReadonlyMap<string, readonly string[]>>();

/** Units that should run, by machine. */
function launchedOn(state: RegistryState): ReadonlyMap<string, readonly string[]> {
  const known = LAUNCHED.get(state);
  if (known !== undefined) return known;
  const units = new Map<string, string[]>();
  for (const { unit, machine, desired } of decide(state).assignments)
    if (desired === 'launched') units.set(machine, [...(units.get(machine) ?? []), unit]);
  LAUNCHED.set(state, units);
  return units;
}

/** The locks of which an item needs a slot. */
function locksOf({ budget, items }: Rollout, at: number, { etcd, gateway }: Roles): LockNeed[] {
  const item = items[at]!;
  const id = item.machine ?? '';
  return [
    { name: groupOf(item), max: allowed(budget.maxUnavailable, items.length) },
    ...(etcd?.on.has(id) ? [{ name: 'etcd', max: etcd.all - etcd.least }] : []),
    ...(gateway?.on.has(id) ? [{ name: 'gateway', max: gateway.all - gateway.least }] : []),
  ];
}
