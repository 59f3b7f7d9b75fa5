import { randomBytes } from 'node:crypto';
import { type Behaviour, readDefinition } from './definition.ts';
import type { HollowJournal } from './journal.ts';
import {
  activeSub,
  BusError,
  comesBack,
  firstFailure,
  type HollowJob,
  type HollowUnit,
  isClean,
  type JobType,
  type ProcessEnd,
  SIGNALS,
  type SystemdSignal,
} from './unit-state.ts';

export interface HollowSystemdOptions {
  /** Where a unit's file is and what it says; null when there is none. Text null = masked. */
  readonly readUnit: (name: string) => { path: string; text: string | null } | null;
  /** Units that links in `NAME.wants/` pull in. */
  readonly wantedBy: (target: string) => string[];
  readonly journal: HollowJournal;
  /** How long each simulated step takes. */
  readonly delayMs?: number;
  /** RestartSec= of every unit. */
  readonly restartMs?: number;
}

/**
 * A simulated systemd: units, jobs and states in memory, no process, no socket. It keeps systemd's rules where a client
 * can see them (job results, stale definitions until a reload, garbage collection) and is no promise about the rest.
 */
export class HollowSystemd {
  readonly jobs = new Map<number, HollowJob>();
  reloads = 0;
  private readonly units = new Map<string, HollowUnit>();
  private readonly listeners = new Set<(signal: SystemdSignal) => void>();
  private readonly options: HollowSystemdOptions;
  private nextJob = 1;
  private nextPid = 300;
  private stopped = false;

  constructor(options: HollowSystemdOptions) {
    this.options = options;
  }

  /** Calls `tell` for each signal until the returned function is called. */
  listen(tell: (signal: SystemdSignal) => void): () => void {
    this.listeners.add(tell);
    return () => this.listeners.delete(tell);
  }

  /** Units in memory, as ListUnits has them: running, failed, with a job, or wanted by an active target. */
  loaded(): HollowUnit[] {
    return [...this.units.values()];
  }

  /** The unit if it is in memory. */
  peek(name: string): HollowUnit | undefined {
    return this.units.get(name);
  }

  /** The unit, read from its file when it is not in memory; load `not-found` when there is no file. */
  load(name: string): HollowUnit {
    const known = this.units.get(name);
    if (known && known.load !== 'not-found') return known;
    const fresh = this.readFresh(name, known);
    if (fresh.load !== 'not-found') this.units.set(name, fresh);
    return fresh;
  }

  /** Queues a job, as StartUnit, StopUnit and RestartUnit do; throws the BusError that systemd would answer. */
  enqueue(type: JobType, name: string): HollowJob {
    const unit = this.load(name);
    if (type !== 'stop' || unit.active === 'inactive') this.refuse(unit, type);
    const running = unit.job;
    if (running?.type === type) return running;
    if (running) this.finish(unit, 'canceled');
    let settle: (result: string) => void = () => {};
    const done = new Promise<string>((resolve) => {
      settle = resolve;
    });
    const job: HollowJob & { settle?: (result: string) => void } = {
      id: this.nextJob++,
      type,
      unit: name,
      done,
      result: null,
    };
    job.settle = settle;
    unit.job = job;
    this.units.set(name, unit);
    this.jobs.set(job.id, job);
    this.emit({ kind: 'job-new', id: job.id, unit: name, result: '' });
    if (type === 'start') void this.runStart(unit, job);
    else if (type === 'stop') void this.runStop(unit, job);
    else void this.runRestart(unit, job);
    return job;
  }

  /** Reads every unit file again, as daemon-reload does. Running units whose file is gone go on as `not-found`. */
  reload(): void {
    this.reloads++;
    this.emit({ kind: 'reloading', active: true });
    for (const unit of this.units.values()) {
      const fresh = this.readFresh(unit.name, undefined);
      if (fresh.load === 'not-found') unit.load = 'not-found';
      else Object.assign(unit, { def: fresh.def, path: fresh.path, load: fresh.load });
      this.collect(unit);
    }
    this.emit({ kind: 'reloading', active: false });
  }

  /** Forgets a failure. */
  resetFailed(name: string): void {
    const unit = this.units.get(name);
    if (!unit) throw new BusError('org.freedesktop.systemd1.NoSuchUnit', `Unit ${name} not loaded.`);
    unit.autoRestarts = [];
    if (unit.active === 'failed') this.become(unit, 'inactive', 'dead');
    unit.result = 'success';
    this.collect(unit);
  }

  /** Ends a running unit's process from outside, as `kill -SIGNAL` would; false when nothing runs. */
  kill(name: string, signal = 'SIGKILL'): boolean {
    const unit = this.units.get(name);
    if (!unit || unit.mainPid === 0) return false;
    this.ended(unit, { code: 0, signal });
    return true;
  }

  /** Power off: every timer stopped, every unit forgotten, no signal sent. */
  halt(): void {
    this.stopped = true;
    for (const unit of this.units.values()) {
      if (unit.timer) clearTimeout(unit.timer);
      if (unit.ticker) clearInterval(unit.ticker);
    }
    this.units.clear();
    this.jobs.clear();
    this.listeners.clear();
  }

  private refuse(unit: HollowUnit, type: JobType): void {
    const { name, load } = unit;
    if (load === 'not-found') {
      const why = type === 'stop' ? `Unit ${name} not loaded.` : `Unit ${name} not found.`;
      throw new BusError('org.freedesktop.systemd1.NoSuchUnit', why);
    }
    if (type === 'stop') return;
    if (load === 'masked')
      throw new BusError('org.freedesktop.systemd1.UnitMasked', `Unit ${name} is masked.`);
    if (load === 'bad-setting') {
      throw new BusError(
        'org.freedesktop.systemd1.BadUnitSetting',
        `Unit ${name} has a bad unit file setting.`,
      );
    }
  }

  private async runStart(unit: HollowUnit, job: HollowJob): Promise<void> {
    if (unit.active === 'active') {
      await this.pause();
      return this.finish(unit, 'done', job);
    }
    for (const rival of unit.def.conflicts) this.tryEnqueue('stop', rival);
    for (const wanted of [...unit.def.wants, ...this.options.wantedBy(unit.name)])
      this.tryEnqueue('start', wanted);
    for (const needed of [...unit.def.requires, ...unit.def.bindsTo]) {
      const result = await (this.tryEnqueue('start', needed)?.done ?? 'dependency');
      if (result !== 'done') return this.finish(unit, 'dependency', job);
    }
    await this.startNow(unit, job);
  }

  private async startNow(unit: HollowUnit, job: HollowJob): Promise<void> {
    await this.pause();
    if (job.result !== null) return;
    const { def } = unit;
    unit.invocation = randomBytes(16).toString('hex');
    unit.result = 'success';
    unit.mainCode = unit.mainStatus = unit.preStatus = 0;
    if (!unit.name.endsWith('.service')) {
      this.become(unit, 'active', activeSub(unit.name));
      return this.finish(unit, 'done', job);
    }
    this.become(unit, 'activating', def.pre.length > 0 ? 'start-pre' : 'start');
    this.say(unit, `Starting ${unit.name} - ${def.description}...`);
    for (const step of def.pre) this.write(unit, step);
    const broken = firstFailure(def.pre, def);
    if (broken) return this.startFailed(unit, job, broken, 'Control');
    if (def.type === 'oneshot') return this.runOneshot(unit, job);
    return this.runMain(unit, job);
  }

  private async runOneshot(unit: HollowUnit, job: HollowJob): Promise<void> {
    const { def } = unit;
    for (const step of def.main) {
      unit.mainPid = this.nextPid++;
      this.write(unit, step);
      if (step.runs) return;
      await this.pause(step.afterMs);
      if (job.result !== null) return;
      if (firstFailure([step], def)) return this.startFailed(unit, job, step, 'Main');
    }
    Object.assign(unit, { mainPid: 0, mainCode: 1, mainStatus: 0 });
    this.say(unit, `Finished ${unit.name} - ${def.description}.`);
    this.become(unit, def.remainAfterExit ? 'active' : 'inactive', def.remainAfterExit ? 'exited' : 'dead');
    this.finish(unit, 'done', job);
  }

  private async runMain(unit: HollowUnit, job: HollowJob): Promise<void> {
    const { def } = unit;
    const step = def.main.at(-1);
    if (!step) return this.finish(unit, 'done', job);
    unit.mainPid = this.nextPid++;
    this.write(unit, step);
    const waits = def.type === 'notify' || def.type === 'dbus' || def.type === 'forking';
    if (waits && firstFailure([step], def)) {
      await this.pause(step.afterMs);
      if (job.result === null) this.startFailed(unit, job, step, def.type === 'forking' ? 'Control' : 'Main');
      return;
    }
    this.become(unit, 'active', 'running');
    this.say(unit, `Started ${unit.name} - ${def.description}.`);
    this.finish(unit, 'done', job);
    if (step.runs || def.type === 'forking') return;
    const end = { code: step.forgiven ? 0 : step.code, signal: null };
    unit.timer = this.later(Math.max(step.afterMs, this.options.delayMs ?? 1), () => this.ended(unit, end));
  }

  private startFailed(unit: HollowUnit, job: HollowJob, step: Behaviour, who: 'Main' | 'Control'): void {
    const comes = comesBack(unit.def, { code: step.code, signal: null });
    this.finishQuietly(unit, job, 'failed', () => this.ended(unit, { code: step.code, signal: null }, who));
    if (!comes) this.say(unit, `Failed to start ${unit.name} - ${unit.def.description}.`, 3);
  }

  private async runStop(unit: HollowUnit, job: HollowJob): Promise<void> {
    for (const other of this.dependents(unit.name)) this.tryEnqueue('stop', other);
    await this.stopNow(unit, job);
    if (job.result === null) this.finish(unit, 'done', job);
  }

  private async runRestart(unit: HollowUnit, job: HollowJob): Promise<void> {
    for (const other of this.dependents(unit.name)) this.tryEnqueue('restart', other);
    await this.stopNow(unit, job);
    if (job.result === null) await this.runStart(unit, job);
  }

  private async stopNow(unit: HollowUnit, job: HollowJob): Promise<void> {
    this.forgetTimers(unit);
    const ran = unit.active !== 'inactive' && unit.active !== 'failed';
    if (ran) {
      this.become(unit, 'deactivating', 'stop-sigterm');
      this.say(unit, `Stopping ${unit.name} - ${unit.def.description}...`);
    }
    await this.pause();
    if (job.result !== null || !ran) return;
    if (unit.mainPid) Object.assign(unit, { mainPid: 0, mainCode: 2, mainStatus: 15 });
    this.become(unit, 'inactive', 'dead');
    this.say(unit, `${unit.name}: Deactivated successfully.`);
    this.say(unit, `Stopped ${unit.name} - ${unit.def.description}.`);
  }

  /** A process ended without being asked to. */
  private ended(unit: HollowUnit, end: ProcessEnd, who: 'Main' | 'Control' = 'Main'): void {
    this.forgetTimers(unit);
    const clean = isClean(unit.def, end);
    unit.mainPid = 0;
    const status = end.signal ? (SIGNALS[end.signal] ?? 9) : end.code;
    if (who === 'Control') unit.preStatus = status;
    else Object.assign(unit, { mainCode: end.signal ? 2 : 1, mainStatus: status });
    if (!clean) {
      unit.result = end.signal ? 'signal' : 'exit-code';
      const how = end.signal
        ? `code=killed, status=${status}/${end.signal.slice(3)}`
        : `code=exited, status=${end.code}/${end.code === 203 ? 'EXEC' : end.code === 1 ? 'FAILURE' : 'n/a'}`;
      this.say(unit, `${unit.name}: ${who} process exited, ${how}`, 5);
      this.say(unit, `${unit.name}: Failed with result '${unit.result}'.`, 4);
    } else {
      this.say(unit, `${unit.name}: Deactivated successfully.`);
    }
    if (comesBack(unit.def, end)) {
      this.comeBack(unit);
      return;
    }
    if (clean && unit.def.remainAfterExit) this.become(unit, 'active', 'exited');
    else this.become(unit, clean ? 'inactive' : 'failed', clean ? 'dead' : 'failed');
    for (const other of this.units.values()) {
      if (other.def.bindsTo.includes(unit.name) && unit.active !== 'active')
        this.tryEnqueue('stop', other.name);
    }
    this.collect(unit);
  }

  /** Five restarts in ten seconds are systemd's default start limit. */
  private comeBack(unit: HollowUnit): void {
    const now = Date.now();
    unit.autoRestarts = [...unit.autoRestarts.filter((at) => now - at < 10_000), now];
    if (unit.autoRestarts.length > 5) {
      this.say(unit, `${unit.name}: Start request repeated too quickly.`, 4);
      this.become(unit, 'failed', 'failed');
      return;
    }
    this.become(unit, 'activating', 'auto-restart');
    unit.timer = this.later(this.options.restartMs ?? 100, () => {
      unit.restarts++;
      this.say(unit, `${unit.name}: Scheduled restart job, restart counter is at ${unit.restarts}.`);
      this.tryEnqueue('start', unit.name);
    });
  }

  private dependents(name: string): string[] {
    const hangsOn = ({ def }: HollowUnit): boolean =>
      [...def.requires, ...def.bindsTo, ...def.partOf].includes(name);
    return this.loaded()
      .filter((unit) => hangsOn(unit) && unit.active !== 'inactive' && unit.active !== 'failed')
      .map((unit) => unit.name);
  }

  private tryEnqueue(type: JobType, name: string): HollowJob | null {
    if (type === 'stop' && (this.units.get(name)?.active ?? 'inactive') === 'inactive') return null;
    try {
      return this.enqueue(type, name);
    } catch {
      return null;
    }
  }

  private finish(unit: HollowUnit, result: string, job: HollowJob | null = unit.job): void {
    this.finishQuietly(unit, job, result, () => {});
    this.collect(unit);
  }

  /** The state is set before JobRemoved goes out: a client that asks then must see how it ended. */
  private finishQuietly(
    unit: HollowUnit,
    job: HollowJob | null,
    result: string,
    settleState: () => void,
  ): void {
    if (unit.job === job) unit.job = null;
    settleState();
    if (!job || job.result !== null) return;
    job.result = result;
    this.jobs.delete(job.id);
    this.emit({ kind: 'job-removed', id: job.id, unit: unit.name, result });
    (job as HollowJob & { settle?: (result: string) => void }).settle?.(result);
  }

  private become(unit: HollowUnit, active: string, sub: string): void {
    unit.active = active;
    unit.sub = sub;
    unit.since = Date.now() * 1000;
    this.emit({ kind: 'changed', unit });
  }

  /** systemd drops a unit from memory that does nothing and that nothing refers to. */
  private collect(unit: HollowUnit): void {
    if (unit.active !== 'inactive' || unit.job) return;
    const referred = this.loaded().some(
      (other) =>
        other.name.endsWith('.target') &&
        other.active === 'active' &&
        this.options.wantedBy(other.name).includes(unit.name),
    );
    if (!referred || unit.load === 'not-found') this.units.delete(unit.name);
  }

  private forgetTimers(unit: HollowUnit): void {
    if (unit.timer) clearTimeout(unit.timer);
    if (unit.ticker) clearInterval(unit.ticker);
    unit.timer = unit.ticker = null;
  }

  private write(unit: HollowUnit, step: Behaviour): void {
    const identifier = 'hollow';
    const pid = unit.mainPid || this.nextPid;
    const line = { unit: unit.name, invocation: unit.invocation, identifier, pid };
    for (const message of step.lines) this.options.journal.add({ ...line, message });
    const { tick } = step;
    if (!tick) return;
    unit.ticker = setInterval(() => this.options.journal.add({ ...line, message: tick.line }), tick.everyMs);
    unit.ticker.unref();
  }

  private say(unit: HollowUnit, message: string, priority = 6): void {
    this.options.journal.add({
      unit: unit.name,
      invocation: unit.invocation,
      identifier: 'systemd',
      pid: 1,
      message,
      priority,
    });
  }

  private emit(signal: SystemdSignal): void {
    for (const tell of this.listeners) tell(signal);
  }

  private pause(ms = 0): Promise<void> {
    return new Promise((resolve) => this.later(Math.max(ms, this.options.delayMs ?? 1), resolve));
  }

  private later(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => !this.stopped && run(), ms);
    return timer;
  }

  private readFresh(name: string, before: HollowUnit | undefined): HollowUnit {
    const found = this.options.readUnit(name);
    const def = readDefinition(name, found?.text ?? '');
    const load = !found ? 'not-found' : found.text === null ? 'masked' : def.bad ? 'bad-setting' : 'loaded';
    const idle = {
      active: 'inactive',
      sub: 'dead',
      result: 'success',
      mainCode: 0,
      mainStatus: 0,
      preStatus: 0,
      mainPid: 0,
      invocation: '',
    };
    const rest = { restarts: 0, autoRestarts: [], since: 0, job: null, timer: null, ticker: null };
    return { name, ...idle, ...rest, ...before, path: found?.path ?? '', def, load };
  }
}
