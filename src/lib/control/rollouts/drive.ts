import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError, EXIT } from '../../error.ts';
import { Wakeup } from '../../keep/index.ts';
import type { RegistryState, RolloutEntry, RolloutRegistry } from '../../registry/index.ts';
import {
  DRAIN_MS,
  isInFlight,
  isOfMachines,
  next,
  outsideWindows,
  type Rollout,
  type RolloutStep,
} from '../../rollout/index.ts';
import type { Session } from '../session.ts';
import { type Carrying, carry } from './carry.ts';
import { closed } from './closed.ts';
import { DRIVER_TTL, DriverLease } from './driver-lease.ts';
import { type Looks, look } from './look.ts';
import { MachineLooker } from './look-machines.ts';
import { Memory, runsAlready } from './memory.ts';
import { noSuchRollout, reportItems, reportState } from './report.ts';
import { leave, mattersTo, readServers, stay, type UnitServer } from './servers.ts';
import { slotEdits } from './slots.ts';

export interface DriveOptions {
  readonly who: string;
  /** Ends the driving, not the rollout. */
  readonly signal?: AbortSignal | undefined;
  /** Paths that the files come from, by hash, for their history. */
  readonly sources?: ReadonlyMap<string, string> | undefined;
}

/** How often units are looked at while something is under way, while nothing is, and while windows are closed. */
const LOOK_EVERY = { inFlight: 250, idle: 1_000, closed: 10_000 } as const;
/** How soon a registry that is away is asked again. */
const STORE_AGAIN_MS = 500;

/**
 * Drives a rollout until there is nothing left to do for a driver: it is at its end, halted or paused. May be called by
 * whoever finds a rollout without a driver; what was begun is taken up where it is.
 * @returns the rollout as it is recorded then.
 * @throws `rollout-driven` (exit 6) when somebody else drives it, `rollout-taken` when somebody else took it over,
 * `interrupted` when the signal aborts.
 */
export async function drive(session: Session, id: string, options: DriveOptions): Promise<Rollout> {
  const registry = await session.rollouts();
  const lease = await DriverLease.take(registry, id, options.who);
  if (lease === null) throw driven(id, (await registry.driver(id))?.who);
  try {
    const entry = await registry.get(id);
    if (entry === null) throw noSuchRollout(id);
    return await new Driver(session, registry, lease, options).run(entry);
  } finally {
    await lease.end();
  }
}

/** Waits until the driver of a rollout is gone, for as long as one that died holds it. @throws `rollout-driven`. */
export async function untilUndriven(session: Session, id: string): Promise<void> {
  const registry = await session.rollouts();
  const until = performance.now() + DRIVER_TTL * 1000 + 2_000;
  for (let told = false; ; told = true) {
    const driver = await registry.driver(id);
    if (driver === null) return;
    if (performance.now() > until) throw driven(id, driver.who);
    const message = `rollout ${id} is held by ${driver.who} (process ${driver.pid}); waiting up to ${DRIVER_TTL} s whether it still lives`;
    if (!told) session.emit({ kind: 'waiting', message });
    await sleep(200);
  }
}

function driven(id: string, who = 'somebody else'): ClusterError {
  return new ClusterError('rollout-driven', `rollout ${id} is being driven by ${who}`, {
    hint: `cluster rollout show ${id} shows how it goes; nothing was changed`,
    exit: EXIT.conflict,
  });
}

class Driver {
  readonly #session: Session;
  readonly #registry: RolloutRegistry;
  readonly #lease: DriverLease;
  readonly #signal: AbortSignal;
  readonly #memory = new Memory();
  readonly #machines: MachineLooker;
  readonly #wakeup = new Wakeup();
  readonly #begun = performance.now();
  readonly #sources: ReadonlyMap<string, string>;
  #state: RegistryState | undefined;
  #files: ReadonlyMap<string, string> = new Map();
  /** What is announced matters to units of this rollout. */
  #looksAtServers = false;
  #failure: { readonly error: unknown } | undefined;
  #waiting: { readonly revision: number; readonly since: number } | undefined;

  constructor(
    session: Session,
    registry: RolloutRegistry,
    lease: DriverLease,
    { signal, sources = new Map() }: DriveOptions,
  ) {
    this.#session = session;
    this.#machines = new MachineLooker(session);
    this.#registry = registry;
    this.#lease = lease;
    this.#sources = sources;
    this.#signal = signal === undefined ? lease.lost : AbortSignal.any([signal, lease.lost]);
  }

  async run(first: RolloutEntry): Promise<Rollout> {
    const over = new AbortController();
    const watching = this.#wakeOnChanges(first, AbortSignal.any([this.#signal, over.signal]));
    try {
      this.#files = await this.#registry.files();
      this.#looksAtServers = await mattersTo(
        this.#session,
        await this.#newestState(),
        first.rollout,
        this.#files,
      );
      return await this.#loop(await closed(this.#session, this.#registry, first, this.#lease.hold));
    } finally {
      over.abort();
      await watching;
    }
  }

  async #loop(first: RolloutEntry): Promise<Rollout> {
    let entry = first;
    for (;;) {
      this.#checkHold(entry.rollout.id);
      try {
        const done = await this.#turn(entry);
        entry = done.entry;
        if (done.over) return entry.rollout;
      } catch (error) {
        // etcd changes its leader, or one of its members is rebooted: the rollout is held until its lease is lost.
        const isAway = error instanceof ClusterError && error.exit === EXIT.store;
        if (!isAway || !isOfMachines(entry.rollout.kind) || this.#lease.lost.aborted) throw error;
        this.#tellWaiting(entry, [error.message]);
        await sleep(STORE_AGAIN_MS);
      }
    }
  }

  /** One look, what follows from it, and a pause. */
  async #turn(before: RolloutEntry): Promise<{ readonly entry: RolloutEntry; readonly over: boolean }> {
    let entry = before;
    const current = await this.#registry.get(entry.rollout.id);
    if (current === null) throw noSuchRollout(entry.rollout.id);
    if (current.revision !== entry.revision) this.#tellState(entry.rollout, current.rollout);
    entry = current;

    const snapshot = this.#memory.snapshot();
    const state = await this.#newestState();
    const looks = isOfMachines(entry.rollout.kind)
      ? await this.#machines.look(state, entry.rollout, new Set(snapshot.busy.keys()))
      : await this.#lookAtUnits(state, entry.rollout);
    const now = performance.now();
    const clock = Date.now();
    const lasted = entry.rollout.items.map((_, at) => this.#memory.lasted(at, now));
    const decide = (rollout: Rollout) =>
      next(rollout, { ...this.#memory.observation(rollout, looks, snapshot, now), clock }, now);
    let result = decide(entry.rollout);
    // What needs neither a step nor time is decided at once, and recorded once.
    for (
      let last = entry.rollout;
      result.rollout !== last && result.steps.length === 0 && !result.over && result.failed === undefined;
    ) {
      last = result.rollout;
      result = decide(last);
    }
    if (result.rollout !== entry.rollout) {
      const written = await this.#registry.change(entry, result.rollout, {
        driver: this.#lease.hold,
        locks: slotEdits(entry.rollout, result.rollout, looks),
      });
      if (written === null) {
        await sleep(50);
        return { entry, over: false };
      }
      const { failed = entry.rollout } = result;
      await reportItems(this.#session, entry.rollout, failed, looks, this.#memory, lasted);
      await reportItems(this.#session, failed, written.rollout, looks, this.#memory, lasted);
      this.#tellState(entry.rollout, written.rollout);
      this.#memory.note(written.rollout, now);
      entry = written;
    }
    if (result.over && !this.#memory.isBusy) return { entry, over: true };
    this.#begin(entry.rollout, result.steps, looks);
    this.#tellWaiting(entry, result.why);
    await this.#pause(entry.rollout, result.wakeAt);
    return { entry, over: false };
  }

  async #lookAtUnits(state: RegistryState, rollout: Rollout): Promise<Looks> {
    const servers = this.#looksAtServers ? await readServers(this.#session) : null;
    return await look(this.#session, state, rollout, { servers, files: this.#files });
  }

  /** Steps are not waited for here: what happens meanwhile is seen, and an operator can pause. */
  #begin(rollout: Rollout, steps: readonly RolloutStep[], looks: Looks): void {
    if (steps.length === 0) return;
    for (const step of steps) this.#memory.begin(rollout, step);
    const left = new Set(steps);
    const servers = steps.flatMap(({ item }) => looks.items[item]!.servers);
    const work = this.#away(rollout, servers, {
      rollout,
      lease: this.#lease.hold.lease.id,
      steps,
      files: this.#files,
      sources: this.#sources,
      timeoutMs: rollout.budget.deadlineMs,
      runsAlready: (step) => runsAlready(looks, step),
      ended: (step, how) => {
        left.delete(step);
        this.#memory.end(step, how);
        // Units that end one after another are seen by the next regular look.
        if (!this.#memory.isBusy || !how.ok) this.#wakeup.wake();
      },
    });
    work
      .catch((error: unknown) => {
        // Somebody else changed one of the units at the same moment: it is looked at again.
        const isRace = error instanceof ClusterError && error.code === 'changed-meanwhile';
        if (!isRace) this.#failure ??= { error };
      })
      .finally(() => {
        for (const step of left) this.#memory.end(step, null);
        this.#wakeup.wake();
      });
  }

  /** Carries steps out while the servers of their units are in no gateway. */
  async #away(rollout: Rollout, servers: readonly UnitServer[], carrying: Carrying): Promise<void> {
    const { drainMs = DRAIN_MS } = rollout.budget;
    const lease = this.#lease.hold.lease.id;
    try {
      await leave(this.#session, servers, { lease, drainMs, signal: this.#signal });
      if (!this.#signal.aborted) await carry(this.#session, carrying);
    } finally {
      await stay(this.#session, servers);
    }
  }

  #checkHold(id: string): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#lease.lost.aborted)
      throw new ClusterError(
        'rollout-taken',
        `this command holds rollout ${id} no more: the registry was away for too long`,
        {
          hint: `cluster rollout resume ${id} goes on with it`,
          exit: EXIT.store,
        },
      );
    if (this.#signal.aborted)
      throw new ClusterError('rollout-left', `rollout ${id} is left as it is`, {
        hint: `cluster rollout resume ${id} goes on with it, cluster rollout rollback ${id} goes back`,
        exit: EXIT.interrupted,
      });
  }

  async #newestState(): Promise<RegistryState> {
    const registry = await this.#session.registry();
    const known = this.#state?.revisions.get('schedule') ?? 0;
    if (this.#state === undefined || (await registry.schedule()) !== known)
      this.#state = await registry.load();
    return this.#state;
  }

  async #pause(rollout: Rollout, wakeAt: number | null): Promise<void> {
    const isIdle = !rollout.items.some(isInFlight);
    const isClosed = isIdle && outsideWindows(rollout, Date.now()) !== null;
    const most = isClosed ? LOOK_EVERY.closed : isIdle ? LOOK_EVERY.idle : LOOK_EVERY.inFlight;
    const left = wakeAt === null ? most : Math.min(most, wakeAt - performance.now());
    const timer = AbortSignal.timeout(Math.max(1, Math.ceil(left)));
    await this.#wakeup.wait(AbortSignal.any([timer, this.#signal]));
  }

  #tellWaiting({ rollout, revision }: RolloutEntry, why: readonly string[]): void {
    const now = performance.now();
    if (this.#waiting?.revision !== revision) this.#waiting = { revision, since: now };
    const [first] = why;
    if (first === undefined) return;
    const message = why.length === 1 ? first : `${first}, and ${why.length - 1} more`;
    const seconds = (now - this.#waiting.since) / 1000;
    this.#session.emit({ kind: 'rollout-waiting', id: rollout.id, message, seconds });
  }

  #tellState(before: Rollout, after: Rollout): void {
    if (before.state !== after.state || before.back !== after.back)
      reportState(this.#session, after, performance.now() - this.#begun);
  }

  /** Wakes the loop when somebody else writes the rollout. */
  async #wakeOnChanges({ rollout, revision }: RolloutEntry, signal: AbortSignal): Promise<void> {
    try {
      for await (const _ of this.#registry.watch(rollout.id, revision, signal)) this.#wakeup.wake();
    } catch {
      // The loop looks at the record anyway, and meets a store that is away itself.
    }
  }
}
