import type { UnitChanges, UnitStatus } from '../port.ts';
import { type Signal, variant } from './dbus.ts';
import type { NamedUnit } from './manager.ts';
import { unitOfPath } from './names.ts';

/** What systemd's signals say of the watched units, merged until somebody takes it. Knows no bus and no clock. */
export class UnitView {
  readonly #wanted: ReadonlySet<string> | null;
  /** The names that were asked for, by the real name that signals carry. */
  readonly #asked = new Map<string, string>();
  readonly #known = new Map<string, UnitStatus>();
  readonly #changed = new Map<string, UnitStatus>();
  readonly #jobs = new Map<string, string>();
  /** Units that systemd has loaded and whose state no signal has told yet. */
  readonly #unknown = new Set<string>();
  #initial = true;
  #reloaded = false;
  #reloading = false;
  #stale = true;

  /** `units`: the only ones to be watched; null = all. */
  constructor(units: readonly string[] | null) {
    this.#wanted = units === null ? null : new Set(units);
  }

  /** Whether all states have to be asked for: at the beginning, and after systemd has read its files again. */
  get isStale(): boolean {
    return this.#stale && !this.#reloading;
  }

  /** Real names of units whose state has to be asked for. */
  get unknown(): string[] {
    return this.#stale ? [] : [...this.#unknown];
  }

  receive({ member, path, body }: Signal): void {
    switch (member) {
      case 'PropertiesChanged':
        this.#changedTo(unitOfPath(path), body[1]);
        break;
      case 'JobRemoved':
        this.#jobEnded(String(body[2]), String(body[3]));
        break;
      case 'UnitNew':
        this.#loaded(String(body[0]));
        break;
      case 'UnitRemoved':
        this.#unloaded(String(body[0]));
        break;
      case 'Reloading':
        this.#reload(body[0] === true);
        break;
    }
  }

  /** The state of every watched unit. */
  replace(rows: readonly NamedUnit[]): void {
    this.#stale = false;
    this.#unknown.clear();
    const gone = new Set(this.#known.keys());
    for (const { id, status } of rows) {
      this.#asked.set(id, status.unit);
      gone.delete(status.unit);
      this.#note(status);
    }
    for (const unit of gone) this.#forget(unit);
  }

  /** The answer about `unknown` units; one that is not in it was unloaded again. */
  learn(ids: readonly string[], rows: readonly UnitStatus[]): void {
    for (const id of ids) this.#unknown.delete(id);
    for (const row of rows) {
      const unit = this.#watchedName(row.unit);
      if (unit !== null) this.#note({ ...row, unit });
    }
  }

  /** What changed since it was last called; null where nothing did, or where states are still to be asked for. */
  take(): UnitChanges | null {
    if (this.#stale) return null;
    const isNews = this.#initial || this.#reloaded || this.#changed.size + this.#jobs.size > 0;
    if (!isNews) return null;
    const changes: UnitChanges = {
      initial: this.#initial,
      states: [...(this.#initial ? this.#known : this.#changed).values()],
      jobs: [...this.#jobs].map(([unit, result]) => ({ unit, result })),
      reloaded: this.#reloaded,
    };
    this.#initial = false;
    this.#reloaded = false;
    this.#changed.clear();
    this.#jobs.clear();
    return changes;
  }

  #watchedName(id: string): string | null {
    const unit = this.#asked.get(id) ?? id;
    return this.#wanted === null || this.#wanted.has(unit) ? unit : null;
  }

  #changedTo(id: string | null, properties: unknown): void {
    const unit = id === null ? null : this.#watchedName(id);
    if (unit === null || this.#stale || !Array.isArray(properties)) return;
    const values = new Map(properties.map(([name, value]: [string, unknown]) => [name, variant(value)]));
    const [active, sub] = [values.get('ActiveState'), values.get('SubState')];
    if (typeof active !== 'string' || typeof sub !== 'string') return;
    this.#note({ unit, load: this.#known.get(unit)?.load ?? 'loaded', active, sub });
  }

  #jobEnded(id: string, result: string): void {
    const unit = this.#watchedName(id);
    if (unit !== null) this.#jobs.set(unit, result);
  }

  #loaded(id: string): void {
    if (!this.#stale && this.#watchedName(id) !== null) this.#unknown.add(id);
  }

  /** systemd unloads a unit that does nothing and that nothing refers to. */
  #unloaded(id: string): void {
    const unit = this.#watchedName(id);
    if (unit === null || this.#stale) return;
    this.#unknown.delete(id);
    this.#forget(unit);
  }

  /** During a reload, units are unloaded and loaded again: signals about them say nothing until it is over. */
  #reload(begins: boolean): void {
    this.#reloading = begins;
    this.#stale = true;
    this.#reloaded = true;
  }

  #forget(unit: string): void {
    const known = this.#known.get(unit);
    if (known !== undefined) this.#note({ ...known, active: 'inactive', sub: 'dead' });
    if (this.#wanted === null) this.#known.delete(unit);
  }

  #note(status: UnitStatus): void {
    const { unit, load, active, sub } = status;
    const known = this.#known.get(unit);
    if (known?.load === load && known.active === active && known.sub === sub) return;
    this.#known.set(unit, status);
    this.#changed.set(unit, status);
  }
}
