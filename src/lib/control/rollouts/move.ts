import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../../error.ts';
import { decide } from '../../plan/index.ts';
import type { Intent } from '../../plan/model.ts';
import type { MachineRecord, RegistryState } from '../../registry/index.ts';
import { DRAIN_MS, type Rollout, type RolloutItem, type RolloutStep } from '../../rollout/index.ts';
import { ownerOf, withCordon } from '../cordons.ts';
import { nameOf } from '../report.ts';
import type { Session } from '../session.ts';
import { Reachability } from '../units/ask.ts';
import { converge, type Waiting } from '../units/converge.ts';
import { joinScopes, type Scope, scopeOfUnits, scopeOnMachine } from '../units/scope.ts';
import { sizesNow, withSizes } from '../units/sizes.ts';
import { type Decided, write } from '../units/write.ts';
import type { Ended } from './ended.ts';
import { hearing } from './hearing.ts';
import { healthOn } from './look.ts';
import { leave, readServers, returned, serversOf, stay, type UnitServer } from './servers.ts';

/** What a move needs to know of the rollout that it is part of. */
export interface Moving {
  readonly rollout: Rollout;
  /** Id of the lease that the driver holds. */
  readonly lease: string;
  readonly timeoutMs: number;
}

/** How often the health of a unit is looked at that has come to another machine, in milliseconds. */
const LOOK_EVERY = 250;

/**
 * Takes one unit off its machine. Elsewhere first: where it goes it is started and has to be healthy, then its servers leave
 * the gateways, then it is stopped where it was. What does not become healthy elsewhere stays where it was. May be done
 * again at any point of it. A unit that no machine can have is stopped, where the item allows that.
 */
export async function leaveMachine(
  session: Session,
  moving: Moving,
  { item: at }: RolloutStep,
): Promise<Ended> {
  const item = moving.rollout.items[at]!;
  try {
    return await new Departure(session, moving, item).run();
  } catch (error) {
    const isOurs = error instanceof ClusterError && error.code !== 'changed-meanwhile';
    if (!isOurs) throw error;
    return { ok: false, why: error.message, journal: [] };
  }
}

class Departure {
  readonly #session: Session;
  readonly #quiet: Session;
  readonly #moving: Moving;
  readonly #item: RolloutItem;
  readonly #from: string;
  readonly #waiting: Waiting;
  #failure: Ended | undefined;

  constructor(session: Session, moving: Moving, item: RolloutItem) {
    this.#session = session;
    this.#moving = moving;
    this.#item = item;
    this.#from = item.machine ?? '';
    this.#waiting = { block: true, timeoutMs: moving.timeoutMs };
    this.#quiet = hearing(session, (event) => {
      if (event.kind === 'failed')
        this.#failure ??= { ok: false, why: `failed: ${event.how}`, journal: event.journal };
      if (event.kind === 'held')
        this.#failure ??= { ok: false, why: `is not started: ${event.why}`, journal: [] };
      if (event.kind === 'problem' || event.kind === 'warning') session.emit(event);
    });
  }

  async run(): Promise<Ended> {
    const reachability = new Reachability(this.#quiet);
    const intend = async (state: RegistryState) => ({
      intent: await this.#intent(state, reachability),
      value: null,
    });
    const decided = await write(this.#quiet, intend, { reachability });
    if (this.#item.global === true) return await this.#stop(decided, [this.#item.unit]);

    const group = this.#group(decided);
    const there = group.filter((unit) => (decided.decision.units.get(unit)?.machine ?? null) !== null);
    if (there.length > 0) {
      await this.#makeRoom(decided, group);
      const why = (await this.#arrive(decided, there)) ?? (await this.#untilHealthy(decided, there));
      if (why !== null) return await this.#comeBack(decided, group, why);
    }
    for (const unit of group.filter((one) => !there.includes(one)))
      this.#warn(`${unit} is stopped: no other machine can have it; it starts as soon as one can`);
    const ended = await this.#stop(decided, group);
    if (ended.ok) this.#sayMoved(decided, there);
    return ended;
  }

  async #intent(state: RegistryState, reachability: Reachability): Promise<Intent<MachineRecord>> {
    const { unit, global, mayStop } = this.#item;
    const record = state.machines.get(this.#from);
    if (record === undefined) return {};
    if (global === true) return { machines: new Map([[record.id, this.#without(record, unit)]]) };

    const known = state.units.get(unit);
    if (known === undefined || known.desired === 'inactive' || known.machine !== this.#from) return {};
    const reason = `${this.#from.slice(0, 8)} is drained`;
    const sizes = await sizesNow(this.#quiet, state, reachability, 'unknown');
    const intent = withSizes({ moves: new Map([[unit, { machine: null, reason }]]) }, sizes);
    const isPlaced = (decide(state, intent, reachability).units.get(unit)?.machine ?? null) !== null;
    if (isPlaced || mayStop === true) return intent;
    throw new ClusterError('drain-blocked', 'no other machine can have it now: cluster plan says why', {
      unit,
    });
  }

  /** The machine's record where this global unit is not among those that stay. */
  #without(record: MachineRecord, unit: string): MachineRecord {
    const owner = ownerOf(this.#moving.rollout);
    const { globals = [], ...cordon } = record.cordons?.[owner] ?? { who: '', since: '' };
    return withCordon(record, owner, { ...cordon, globals: globals.filter((name) => name !== unit) });
  }

  /** The unit, and those that leave the machine with it. */
  #group({ before, decision }: Decided): string[] {
    const { unit } = this.#item;
    const others = [...decision.changed].filter(
      (name) => name !== unit && before.units.get(name)?.machine === this.#from && decision.units.has(name),
    );
    return [unit, ...others.filter((name) => decision.units.get(name)?.machine !== this.#from)];
  }

  /** What the unit replaces where it goes has to be gone there before it starts. */
  async #makeRoom(decided: Decided, group: readonly string[]): Promise<void> {
    const { before, decision } = decided;
    const pushed = [...decision.changed].filter(
      (unit) => !group.includes(unit) && (before.units.get(unit)?.machine ?? null) !== null,
    );
    if (pushed.length === 0) return;
    this.#warn(`${pushed.join(', ')} is stopped first: ${this.#item.unit} replaces it`);
    await converge(this.#quiet, decided, scopeOfUnits(before, decision, new Set(pushed)), this.#waiting);
  }

  /** Starts units where they go. @returns why one does not run there; null = all do. */
  async #arrive(decided: Decided, units: readonly string[]): Promise<string | null> {
    const scope = joinScopes(
      ...[...this.#places(decided, units)].map(([record, here]) => scopeOnMachine(record, here)),
    );
    const asked = new Set(units);
    const { failures } = await converge(this.#quiet, decided, scope, { ...this.#waiting, asked });
    return failures[0] === undefined ? null : (whyOf(this.#failure) ?? failures[0].message);
  }

  #places({ decision }: Decided, units: readonly string[]): Map<MachineRecord, string[]> {
    const places = new Map<MachineRecord, string[]>();
    for (const unit of units) {
      const record = decision.machines.get(decision.units.get(unit)?.machine ?? '');
      if (record !== undefined) places.set(record, [...(places.get(record) ?? []), unit]);
    }
    return places;
  }

  /** @returns why the units are not healthy where they went; null = they have been for long enough. */
  async #untilHealthy(decided: Decided, units: readonly string[]): Promise<string | null> {
    const { deadlineMs, minHealthyMs } = this.#moving.rollout.budget;
    const launched = units.some((unit) => decided.decision.units.get(unit)?.desired === 'launched');
    const needed = launched ? minHealthyMs : 0;
    const until = performance.now() + deadlineMs;
    for (let goodSince: number | null = null; ; await sleep(LOOK_EVERY)) {
      const bad = await this.#unwell(decided, units);
      if (bad?.sick === true) return bad.why;
      const now = performance.now();
      if (bad === null) goodSince ??= now;
      else goodSince = null;
      if (goodSince !== null && now - goodSince >= needed) return null;
      if (bad !== null && now > until)
        return `was not healthy there within ${deadlineMs / 1000} s: ${bad.why}`;
    }
  }

  async #unwell(
    decided: Decided,
    units: readonly string[],
  ): Promise<{ readonly why: string; readonly sick: boolean } | null> {
    const { before, decision } = decided;
    const servers = await readServers(this.#quiet);
    const source = before.machines.get(this.#from);
    for (const [record, here] of this.#places(decided, units)) {
      const healths = await healthOn(this.#quiet, decision, record, new Set(here));
      if (healths === null) return { why: 'its machine does not answer', sick: false };
      for (const unit of here) {
        const { verdict, why } = healths.get(unit)!;
        if (verdict !== 'good') return { why, sick: verdict === 'sick' };
        if (servers === null || source === undefined || decision.units.get(unit)?.desired !== 'launched')
          continue;
        const announced = serversOf(servers, before, unit, source).length > 0;
        const bad = returned(servers, serversOf(servers, before, unit, record), announced).find(
          ({ ok }) => !ok,
        );
        if (bad !== undefined) return { why: bad.text, sick: false };
      }
    }
    return null;
  }

  /** Takes the units out of the gateways and stops them where they were. */
  async #stop(decided: Decided, units: readonly string[]): Promise<Ended> {
    const { before, decision } = decided;
    const record = decision.machines.get(this.#from);
    if (record === undefined) return { ok: true };
    const servers = await readServers(this.#quiet);
    const serversOn = (unit: string, machine: MachineRecord | undefined): readonly UnitServer[] =>
      servers === null || machine === undefined ? [] : serversOf(servers, before, unit, machine);
    const mine = units.flatMap((unit) => {
      const elsewhere = decision.machines.get(decision.units.get(unit)?.machine ?? '');
      // A server by the same name is that of the new copy by now.
      const theirs = new Set(elsewhere === record ? [] : serversOn(unit, elsewhere).map(({ path }) => path));
      return serversOn(unit, record).filter(({ path }) => !theirs.has(path));
    });
    const { lease, rollout } = this.#moving;
    await leave(this.#quiet, mine, { lease, drainMs: rollout.budget.drainMs ?? DRAIN_MS });
    const { failures } = await converge(this.#quiet, decided, scopeOnMachine(record, units), this.#waiting);
    if (failures[0] === undefined) return { ok: true };
    await stay(this.#quiet, mine);
    const why = `was not stopped on the machine that it leaves: ${whyOf(this.#failure) ?? failures[0].message}`;
    return { ok: false, why, journal: this.#failure?.ok === false ? this.#failure.journal : [] };
  }

  /** Records that the units belong where they were, and takes off what came elsewhere. */
  async #comeBack({ decision }: Decided, units: readonly string[], why: string): Promise<Ended> {
    const there = decision.machines.get(decision.units.get(this.#item.unit)?.machine ?? '');
    const reason = 'it did not become healthy elsewhere';
    const failure = this.#failure?.ok === false ? this.#failure : undefined;
    const journal = failure?.journal ?? (await this.#journalOn(there));
    const moves = new Map(units.map((unit) => [unit, { machine: this.#from, reason }]));
    const again = await write(this.#quiet, (state) => {
      const known = [...moves].filter(([unit]) => state.units.has(unit));
      return { intent: { moves: new Map(known) }, value: null };
    });
    const scope: Scope = scopeOfUnits(again.before, again.decision, new Set(units));
    await converge(this.#quiet, again, scope, this.#waiting);
    const where = there === undefined ? 'elsewhere' : `on ${there.target.address}`;
    return { ok: false, why: `${why} ${where}; it stays where it was`, journal };
  }

  async #journalOn(record: MachineRecord | undefined): Promise<readonly string[]> {
    if (record === undefined) return [];
    try {
      const machine = await this.#session.machine(record);
      return (await machine.journal({ units: [this.#item.unit], lines: 10 })).map(({ text }) => text);
    } catch (error) {
      if (error instanceof ClusterError) return [];
      throw error;
    }
  }

  #sayMoved({ decision }: Decided, units: readonly string[]): void {
    const source = decision.machines.get(this.#from);
    for (const [record, here] of this.#places({ decision } as Decided, units))
      for (const unit of here)
        if (source !== undefined)
          this.#session.emit({
            kind: 'moved',
            unit,
            from: nameOf(source),
            to: nameOf(record),
            reason: 'the machine is drained',
          });
  }

  #warn(message: string): void {
    this.#session.emit({ kind: 'warning', message });
  }
}

const whyOf = (ended: Ended | undefined): string | undefined => (ended?.ok === false ? ended.why : undefined);
