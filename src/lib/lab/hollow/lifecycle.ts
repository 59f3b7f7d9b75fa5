import { randomBytes } from 'node:crypto';
import type { Behaviour } from './definition.ts';
import type { JobQueue } from './jobs.ts';
import type { UnitJournal } from './unit-journal.ts';
import {
  activeSub,
  comesBack,
  firstFailure,
  forgetTimers,
  type HollowJob,
  type HollowUnit,
  howItExited,
  isClean,
  type ProcessEnd,
  statusOf,
} from './unit-state.ts';
import type { UnitTable } from './unit-table.ts';

interface Pace {
  /** How long each simulated step takes. */
  readonly delayMs: number;
  /** RestartSec= of every unit. */
  readonly restartMs: number;
}

/** What a job does to its unit, and what happens to a unit whose process ended by itself. */
export class Lifecycle {
  readonly #units: UnitTable;
  readonly #queue: JobQueue;
  readonly #journal: UnitJournal;
  readonly #pace: Pace;
  #nextPid = 300;
  #stopped = false;

  constructor(units: UnitTable, queue: JobQueue, journal: UnitJournal, pace: Pace) {
    this.#units = units;
    this.#queue = queue;
    this.#journal = journal;
    this.#pace = pace;
  }

  /** Begins a job's work. */
  run(unit: HollowUnit, job: HollowJob): void {
    if (job.type === 'start') void this.#runStart(unit, job);
    else if (job.type === 'stop') void this.#runStop(unit, job);
    else void this.#runRestart(unit, job);
  }

  /** Cancels everything that is scheduled. */
  halt(): void {
    this.#stopped = true;
  }

  /** A process ended by itself. */
  ended(unit: HollowUnit, end: ProcessEnd, who: 'Main' | 'Control' = 'Main'): void {
    forgetTimers(unit);
    const clean = isClean(unit.def, end);
    unit.mainPid = 0;
    if (who === 'Control') unit.preStatus = statusOf(end);
    else Object.assign(unit, { mainCode: end.signal ? 2 : 1, mainStatus: statusOf(end) });
    if (!clean) {
      unit.result = end.signal ? 'signal' : 'exit-code';
      this.#journal.say(unit, `${unit.name}: ${who} process exited, ${howItExited(end)}`, 5);
      this.#journal.say(unit, `${unit.name}: Failed with result '${unit.result}'.`, 4);
    } else {
      this.#journal.say(unit, `${unit.name}: Deactivated successfully.`);
    }
    if (comesBack(unit.def, end)) {
      this.#comeBack(unit);
      return;
    }
    if (clean && unit.def.remainAfterExit) this.#units.become(unit, 'active', 'exited');
    else this.#units.become(unit, clean ? 'inactive' : 'failed', clean ? 'dead' : 'failed');
    for (const other of this.#units.loaded()) {
      if (other.def.bindsTo.includes(unit.name) && unit.active !== 'active')
        this.#queue.tryEnqueue('stop', other.name);
    }
    this.#units.collect(unit);
  }

  async #runStart(unit: HollowUnit, job: HollowJob): Promise<void> {
    if (unit.active === 'active') {
      await this.#pause();
      return this.#queue.finish(unit, 'done', job);
    }
    for (const rival of unit.def.conflicts) this.#queue.tryEnqueue('stop', rival);
    for (const wanted of this.#units.wantedOf(unit)) this.#queue.tryEnqueue('start', wanted);
    for (const needed of [...unit.def.requires, ...unit.def.bindsTo]) {
      const result = await (this.#queue.tryEnqueue('start', needed)?.done ?? 'dependency');
      if (result !== 'done') return this.#queue.finish(unit, 'dependency', job);
    }
    await this.#startNow(unit, job);
  }

  async #startNow(unit: HollowUnit, job: HollowJob): Promise<void> {
    await this.#pause();
    if (job.result !== null) return;
    const { def } = unit;
    unit.conditionAt = Date.now() * 1000;
    unit.conditions = this.#units.conditionsOf(unit);
    if (unit.conditions.some(({ isMet }) => !isMet)) {
      this.#journal.say(unit, `${unit.name} was skipped because of an unmet condition check.`);
      return this.#queue.finish(unit, 'done', job);
    }
    unit.invocation = randomBytes(16).toString('hex');
    unit.result = 'success';
    unit.mainCode = unit.mainStatus = unit.preStatus = 0;
    if (!unit.name.endsWith('.service')) {
      this.#units.become(unit, 'active', activeSub(unit.name));
      return this.#queue.finish(unit, 'done', job);
    }
    this.#units.become(unit, 'activating', def.pre.length > 0 ? 'start-pre' : 'start');
    this.#journal.say(unit, `Starting ${unit.name} - ${def.description}...`);
    for (const step of def.pre) this.#journal.write(unit, step, unit.mainPid || this.#nextPid);
    const broken = firstFailure(def.pre, def);
    if (broken) return this.#startFailed(unit, job, broken, 'Control');
    if (def.type === 'oneshot') return this.#runOneshot(unit, job);
    return this.#runMain(unit, job);
  }

  async #runOneshot(unit: HollowUnit, job: HollowJob): Promise<void> {
    const { def } = unit;
    for (const step of def.main) {
      this.#spawn(unit, step);
      if (step.runs) return;
      await this.#pause(step.afterMs);
      if (job.result !== null) return;
      if (firstFailure([step], def)) return this.#startFailed(unit, job, step, 'Main');
    }
    Object.assign(unit, { mainPid: 0, mainCode: 1, mainStatus: 0 });
    this.#journal.say(unit, `Finished ${unit.name} - ${def.description}.`);
    if (def.remainAfterExit) this.#units.become(unit, 'active', 'exited');
    else this.#units.become(unit, 'inactive', 'dead');
    this.#queue.finish(unit, 'done', job);
  }

  async #runMain(unit: HollowUnit, job: HollowJob): Promise<void> {
    const { def } = unit;
    const step = def.main.at(-1);
    if (!step) return this.#queue.finish(unit, 'done', job);
    this.#spawn(unit, step);
    const waits = def.type === 'notify' || def.type === 'dbus' || def.type === 'forking';
    if (waits && firstFailure([step], def)) {
      await this.#pause(step.afterMs);
      if (job.result === null)
        this.#startFailed(unit, job, step, def.type === 'forking' ? 'Control' : 'Main');
      return;
    }
    this.#units.become(unit, 'active', 'running');
    this.#journal.say(unit, `Started ${unit.name} - ${def.description}.`);
    this.#queue.finish(unit, 'done', job);
    if (step.runs || def.type === 'forking') return;
    const end = { code: step.forgiven ? 0 : step.code, signal: null };
    unit.timer = this.#later(Math.max(step.afterMs, this.#pace.delayMs), () => this.ended(unit, end));
  }

  #startFailed(unit: HollowUnit, job: HollowJob, step: Behaviour, who: 'Main' | 'Control'): void {
    const end = { code: step.code, signal: null };
    const comes = comesBack(unit.def, end);
    this.#queue.finishQuietly(unit, job, 'failed', () => this.ended(unit, end, who));
    if (!comes) this.#journal.say(unit, `Failed to start ${unit.name} - ${unit.def.description}.`, 3);
  }

  async #runStop(unit: HollowUnit, job: HollowJob): Promise<void> {
    for (const other of this.#units.dependents(unit.name)) this.#queue.tryEnqueue('stop', other);
    await this.#stopNow(unit, job);
    if (job.result === null) this.#queue.finish(unit, 'done', job);
  }

  async #runRestart(unit: HollowUnit, job: HollowJob): Promise<void> {
    for (const other of this.#units.dependents(unit.name)) this.#queue.tryEnqueue('restart', other);
    await this.#stopNow(unit, job);
    if (job.result === null) await this.#runStart(unit, job);
  }

  async #stopNow(unit: HollowUnit, job: HollowJob): Promise<void> {
    forgetTimers(unit);
    const ran = unit.active !== 'inactive' && unit.active !== 'failed';
    if (ran) {
      this.#units.become(unit, 'deactivating', 'stop-sigterm');
      this.#journal.say(unit, `Stopping ${unit.name} - ${unit.def.description}...`);
    }
    await this.#pause();
    if (job.result !== null || !ran) return;
    if (unit.mainPid) Object.assign(unit, { mainPid: 0, mainCode: 2, mainStatus: 15 });
    this.#units.become(unit, 'inactive', 'dead');
    this.#journal.say(unit, `${unit.name}: Deactivated successfully.`);
    this.#journal.say(unit, `Stopped ${unit.name} - ${unit.def.description}.`);
  }

  /** Five restarts in ten seconds are systemd's default start limit. */
  #comeBack(unit: HollowUnit): void {
    const now = performance.now();
    unit.autoRestarts = [...unit.autoRestarts.filter((at) => now - at < 10_000), now];
    if (unit.autoRestarts.length > 5) {
      this.#journal.say(unit, `${unit.name}: Start request repeated too quickly.`, 4);
      this.#units.become(unit, 'failed', 'failed');
      return;
    }
    this.#units.become(unit, 'activating', 'auto-restart');
    unit.timer = this.#later(this.#pace.restartMs, () => {
      unit.restarts++;
      this.#journal.say(unit, `${unit.name}: Scheduled restart job, restart counter is at ${unit.restarts}.`);
      this.#queue.tryEnqueue('start', unit.name);
    });
  }

  #spawn(unit: HollowUnit, step: Behaviour): void {
    unit.mainPid = this.#nextPid++;
    this.#journal.write(unit, step, unit.mainPid);
  }

  #pause(ms = 0): Promise<void> {
    return new Promise((resolve) => this.#later(Math.max(ms, this.#pace.delayMs), resolve));
  }

  #later(ms: number, run: () => void): NodeJS.Timeout {
    return setTimeout(() => !this.#stopped && run(), ms);
  }
}
