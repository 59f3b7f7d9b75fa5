import { readDefinition } from './definition.ts';
import {
  forgetTimers,
  type HollowCondition,
  type HollowUnit,
  hangsOn,
  type SystemdSignal,
  type UnitFiles,
} from './unit-state.ts';

/** The units that a simulated systemd has in memory, and the listeners that hear of their changes. */
export class UnitTable {
  readonly #units = new Map<string, HollowUnit>();
  readonly #listeners = new Set<(signal: SystemdSignal) => void>();
  readonly #files: UnitFiles;

  constructor(files: UnitFiles) {
    this.#files = files;
  }

  listen(tell: (signal: SystemdSignal) => void): () => void {
    this.#listeners.add(tell);
    return () => this.#listeners.delete(tell);
  }

  emit(signal: SystemdSignal): void {
    for (const tell of this.#listeners) tell(signal);
  }

  loaded(): HollowUnit[] {
    return [...this.#units.values()];
  }

  peek(name: string): HollowUnit | undefined {
    return this.#units.get(name);
  }

  load(name: string): HollowUnit {
    const known = this.#units.get(name);
    if (known && known.load !== 'not-found') return known;
    const fresh = this.#readFresh(name, known);
    if (fresh.load !== 'not-found') this.hold(fresh);
    return fresh;
  }

  /** Keeps a unit in memory from here on. */
  hold(unit: HollowUnit): void {
    const isNew = !this.#units.has(unit.name);
    this.#units.set(unit.name, unit);
    if (isNew) this.emit({ kind: 'unit-new', unit: unit.name });
  }

  /** Like the real one, it unloads every unit and loads it again, with a signal for each. */
  reload(): void {
    this.emit({ kind: 'reloading', active: true });
    for (const unit of this.#units.values()) {
      this.emit({ kind: 'unit-removed', unit: unit.name });
      this.emit({ kind: 'unit-new', unit: unit.name });
      const fresh = this.#readFresh(unit.name, undefined);
      if (fresh.load === 'not-found') unit.load = 'not-found';
      else Object.assign(unit, { def: fresh.def, path: fresh.path, load: fresh.load });
      this.collect(unit);
    }
    this.emit({ kind: 'reloading', active: false });
  }

  become(unit: HollowUnit, active: string, sub: string): void {
    const now = Date.now() * 1000;
    if (unit.active === 'active' && active !== 'active') unit.activeExit = now;
    if (active === 'inactive' || active === 'failed') unit.inactiveEnter = now;
    unit.active = active;
    unit.sub = sub;
    unit.since = now;
    this.emit({ kind: 'changed', unit });
  }

  /** systemd unloads a unit that does nothing and that nothing refers to. */
  collect(unit: HollowUnit): void {
    if (unit.active !== 'inactive' || unit.job) return;
    if (unit.load !== 'not-found' && this.#isReferred(unit.name)) return;
    if (this.#units.delete(unit.name)) this.emit({ kind: 'unit-removed', unit: unit.name });
  }

  /** Whether something in memory needs or wants it, or a target does that an active target wants in turn. */
  #isReferred(name: string): boolean {
    const needs = ({ def }: HollowUnit): boolean =>
      [def.requires, def.bindsTo, def.wants, def.upholds].some((names) => names.includes(name));
    if (this.loaded().some((other) => other.name !== name && needs(other))) return true;
    const targets = this.loaded()
      .filter((other) => other.name.endsWith('.target') && other.active === 'active')
      .map((other) => other.name);
    for (const target of targets) {
      const wanted = this.#files.wantedBy(target);
      if (wanted.includes(name)) return true;
      for (const next of wanted) if (next.endsWith('.target') && !targets.includes(next)) targets.push(next);
    }
    return false;
  }

  /** Which of its conditions a unit meets now. */
  conditionsOf({ def }: Pick<HollowUnit, 'def'>): HollowCondition[] {
    return def.conditions.map((value) => {
      const negate = value.startsWith('!');
      const path = value.replace(/^!/, '');
      return { path, negate, isMet: this.#files.exists(path) !== negate };
    });
  }

  /** Units that a start of this one starts too. */
  wantedOf(unit: HollowUnit): string[] {
    return [...unit.def.wants, ...unit.def.upholds, ...this.#files.wantedBy(unit.name)];
  }

  /** Whether a running unit has systemd start this one again whenever it has ended. */
  isUpheld(name: string): boolean {
    return this.loaded().some((unit) => unit.active === 'active' && unit.def.upholds.includes(name));
  }

  /** Running units that stop or restart with this one. */
  dependents(name: string): string[] {
    return this.loaded()
      .filter((unit) => hangsOn(unit.def, name) && unit.active !== 'inactive' && unit.active !== 'failed')
      .map((unit) => unit.name);
  }

  /** Forgets units and listeners without a signal. */
  forget(): void {
    for (const unit of this.#units.values()) forgetTimers(unit);
    this.#units.clear();
    this.#listeners.clear();
  }

  #readFresh(name: string, before: HollowUnit | undefined): HollowUnit {
    const found = this.#files.readUnit(name);
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
    const times = { conditions: [], conditionAt: 0, activeExit: 0, inactiveEnter: 0 };
    const rest = { ...times, restarts: 0, autoRestarts: [], since: 0, job: null, timer: null, ticker: null };
    return { name, ...idle, ...rest, ...before, path: found?.path ?? '', def, load };
  }
}
