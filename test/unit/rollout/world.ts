import {
  allowed,
  type Health,
  isInFlight,
  isSettled,
  judge,
  next,
  type Rollout,
  type RolloutStep,
  type Seen,
  type Version,
} from '../../../src/lib/rollout/index.ts';

const DEADLINE_MS = 60_000;

/** How a version of a unit behaves once it was started: in milliseconds after its start. */
export interface Behaviour {
  readonly readyAfter: number;
  /** It fails then; null = never. */
  readonly diesAfter: number | null;
}

export const WELL: Behaviour = { readyAfter: 0, diesAfter: null };

/** One unit as its machine and the registry have it. */
interface Place {
  wanted: Version | null;
  installed: string | null;
  startedAt: number | null;
  run: number;
  silent: boolean;
}

interface Work {
  readonly step: RolloutStep;
  readonly direction: boolean;
  readonly batch: number;
  readonly beganAt: number;
  readonly endsAt: number;
  stage: 0 | 1;
}

/** A cluster in which a rollout can be driven by one driver after another, in virtual time. */
export class World {
  now = 0;
  /** As it is in the registry: text, as a driver that takes over reads it. */
  stored: string;
  readonly places: Place[];
  readonly violations: string[] = [];
  #behaviour: (item: number, hash: string) => Behaviour;
  #work = new Map<number, Work>();
  #ended = new Map<number, { readonly step: string; readonly failure?: string }>();
  #since = new Map<number, { state: string; at: number }>();
  #goodSince = new Map<number, number>();
  #badSince = new Map<number, number>();
  #idleSince: number | null = null;
  #clock = 0;

  constructor(rollout: Rollout, behaviour: (item: number, hash: string) => Behaviour) {
    this.stored = JSON.stringify(rollout);
    this.#behaviour = behaviour;
    this.places = rollout.items.map(({ from }) => ({
      wanted: from,
      installed: from?.hash ?? null,
      startedAt: from?.desired === 'launched' ? -1_000_000 : null,
      run: 0,
      silent: false,
    }));
  }

  get rollout(): Rollout {
    return JSON.parse(this.stored) as Rollout;
  }

  health(at: number): Health {
    const place = this.places[at]!;
    const { readyAfter, diesAfter } = this.#behaviour(at, place.installed ?? '');
    const age = place.startedAt === null ? null : this.now - place.startedAt;
    const isDead = age !== null && diesAfter !== null && age >= diesAfter;
    return judge({
      wanted: place.wanted,
      installed: place.silent ? undefined : place.installed,
      active: age === null ? 'inactive' : isDead ? 'failed' : 'active',
      sub: isDead ? 'failed' : 'running',
      restarts: 0,
      endsByItself: false,
      checks: age === null ? [] : [{ ok: age >= readyAfter, text: 'health check answers 500' }],
    });
  }

  /** The driver dies: what it knew is gone, and its work ends where it was. */
  kill(): void {
    this.#work.clear();
    this.#ended.clear();
    this.#since.clear();
    this.#goodSince.clear();
    this.#badSince.clear();
    this.#idleSince = null;
    this.#clock += 12_345;
  }

  /** One look of the driver. `crash`: it dies before (1) or after (2) it has recorded. @returns whether it has ended. */
  look(duration: number, crash: 0 | 1 | 2 = 0): boolean {
    this.#carryOn();
    const rollout = this.rollout;
    const seen = this.#observe(rollout);
    const result = next(rollout, seen, this.now + this.#clock);
    if (crash === 1) {
      this.kill();
      return false;
    }
    this.#checkBudget(rollout, result.rollout, seen);
    this.stored = JSON.stringify(result.rollout);
    if (crash === 2) {
      this.kill();
      return false;
    }
    for (const step of result.steps)
      this.#work.set(step.item, {
        step,
        direction: result.rollout.back,
        batch: result.rollout.batch,
        beganAt: this.now,
        endsAt: this.now + duration,
        stage: 0,
      });
    if (
      !result.over &&
      result.rollout === rollout &&
      result.steps.length === 0 &&
      result.wakeAt === null &&
      this.#work.size === 0
    )
      this.violations.push(
        `waits for nothing: ${JSON.stringify(result.rollout.items.map(({ state }) => state))}`,
      );
    return result.over;
  }

  /** Never more down than allowed whenever something that is up is taken down. */
  #checkBudget(before: Rollout, after: Rollout, seen: { readonly items: readonly Seen[] }): void {
    const begun = after.items.filter(
      (item, at) => item.state === 'acting' && before.items[at]!.state === 'waiting',
    );
    if (begun.length === 0) return;
    const most = allowed(after.budget.maxUnavailable, after.items.length);
    const inFlight = after.items.filter(isInFlight).length;
    if (inFlight > most) this.violations.push(`${inFlight} under way, ${most} allowed`);
    const isDown = (at: number): boolean => {
      const item = after.items[at]!;
      const isPart =
        seen.items[at]!.wanted?.desired === 'launched' && (item.from !== null || isSettled(item));
      return isPart && seen.items[at]!.health.verdict !== 'good';
    };
    const taken = after.items.filter(
      (item, at) =>
        item.state === 'acting' &&
        before.items[at]!.state === 'waiting' &&
        (item.from !== null || after.back) &&
        seen.items[at]!.health.verdict === 'good' &&
        seen.items[at]!.wanted?.desired === 'launched',
    ).length;
    const down = after.items.filter((_, at) => isDown(at)).length;
    if (taken > 0 && taken + down > most)
      this.violations.push(`${taken} taken down, ${down} down, ${most} allowed`);
  }

  #carryOn(): void {
    for (const [at, work] of this.#work) {
      const place = this.places[at]!;
      const { step } = work;
      if (work.stage === 0) {
        place.wanted = step.version;
        if (step.action === 'remove' || place.installed !== step.version?.hash || step.again)
          place.startedAt = null;
        work.stage = 1;
      }
      const token = `${work.direction} ${work.batch}`;
      // Drivers give no step more time than the deadline.
      if (place.silent && this.now - work.beganAt >= DEADLINE_MS) {
        this.#work.delete(at);
        this.#ended.set(at, { step: token, failure: 'its machine does not answer' });
        continue;
      }
      if (this.now < work.endsAt || place.silent) continue;
      this.#work.delete(at);
      const isSame = place.startedAt !== null && place.installed === step.version?.hash;
      place.installed = step.version?.hash ?? null;
      if (!isSame) {
        place.startedAt = step.version?.desired === 'launched' ? this.now : null;
        place.run++;
      }
      this.#ended.set(at, { step: token });
    }
  }

  #observe(rollout: Rollout) {
    const time = this.now + this.#clock;
    const items = rollout.items.map((item, at): Seen => {
      const key = `${item.state} ${rollout.back}`;
      if (this.#since.get(at)?.state !== key) this.#since.set(at, { state: key, at: time });
      const health = this.health(at);
      const outcome = this.#ended.get(at);
      const last = outcome?.step === `${rollout.back} ${rollout.batch}` ? outcome : undefined;
      if (health.verdict === 'good') this.#badSince.delete(at);
      else this.#goodSince.delete(at);
      const times = health.verdict === 'good' ? this.#goodSince : this.#badSince;
      if (!times.has(at)) times.set(at, time);
      return {
        wanted: this.places[at]!.wanted,
        health,
        run: this.places[at]!.startedAt === null ? undefined : String(this.places[at]!.run),
        announced: false,
        busy: this.#work.has(at),
        ended: last !== undefined && last.failure === undefined,
        ...(last?.failure !== undefined && { failure: last.failure }),
        since: this.#since.get(at)!.at,
        goodSince: this.#goodSince.get(at) ?? null,
        badSince: this.#badSince.get(at) ?? null,
      };
    });
    const isBusy = rollout.items.some(isInFlight) || this.#work.size > 0;
    if (isBusy) this.#idleSince = null;
    else this.#idleSince ??= time;
    return { items, othersDown: [], idleSince: this.#idleSince };
  }
}
