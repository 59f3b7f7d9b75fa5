import {
  effectiveValues,
  expandSpecifiers,
  parseUnitFile,
  parseUnitName,
  resolveByName,
  type UnitFile,
} from '../unit/index.ts';
import type { Assignment } from './model.ts';

/** What a start of a unit does to others, by its own file. */
interface Links {
  /** They have to run: systemd starts them first and stops the unit with them. */
  readonly needs: readonly string[];
  /** systemd starts them too, and does not mind when they fail. */
  readonly wants: readonly string[];
  /** Of those, the ones that systemd starts again whenever they stop while this one runs. */
  readonly upholds: readonly string[];
  readonly upheldBy: readonly string[];
  /** Units that need or want this one, by its [Install] section. */
  readonly neededBy: readonly string[];
  readonly wantedBy: readonly string[];
}

const NO_LINKS: Links = { needs: [], wants: [], upholds: [], upheldBy: [], neededBy: [], wantedBy: [] };
const LINKING = /^\s*(Requires|Requisite|BindsTo|Wants|Upholds|RequiredBy|WantedBy|UpheldBy)\s*=/m;

/** What is known of units that a machine is not assigned. */
export interface Elsewhere {
  /** Why a unit that the registry knows is not on this machine, such as `is inactive`; undefined for other units. */
  readonly known: (unit: string) => string | undefined;
  /** Names that systemd there knows no file of. */
  readonly missing: ReadonlySet<string>;
}

/** How the units that one machine should have hang together. */
export class UnitLinks {
  readonly #assigned: ReadonlyMap<string, Assignment>;
  readonly #files: ReadonlyMap<string, string>;
  readonly #links = new Map<string, Links>();
  #installed: { needs: Map<string, string[]>; wants: Map<string, string[]> } | undefined;

  /** `assigned` is all that the machine should have; `files` are texts by hash. */
  constructor(assigned: readonly Assignment[], files: ReadonlyMap<string, string>) {
    this.#assigned = new Map(assigned.map((one) => [one.unit, one]));
    this.#files = files;
  }

  /** Units that have to run for these, and that the machine is not assigned. */
  foreignNeeds(units: Iterable<string>): string[] {
    const names = [...units].flatMap((unit) => this.#needsOf(unit));
    return [...new Set(names.filter((name) => !this.#assigned.has(name)))];
  }

  /**
   * Why a unit must not be started although it is wanted launched: systemd would start a unit with it that an operator
   * has stopped, or one that is not there; undefined when nothing stands against it.
   */
  whyHeld(unit: string, elsewhere: Elsewhere, seen: ReadonlySet<string> = new Set()): string | undefined {
    for (const need of this.#needsOf(unit)) {
      if (seen.has(need) || need === unit) continue;
      const assignment = this.#assigned.get(need);
      if (assignment?.desired === 'loaded') return `it needs ${need}, which is stopped`;
      const where = assignment === undefined ? elsewhere.known(need) : undefined;
      if (where !== undefined) return `it needs ${need}, which ${where}`;
      if (assignment === undefined && elsewhere.missing.has(need))
        return `it needs ${need}, which is not on this machine`;
      if (assignment === undefined) continue;
      const further = this.whyHeld(need, elsewhere, new Set([...seen, unit]));
      if (further !== undefined) return further;
    }
    return undefined;
  }

  /**
   * Why a unit that should not run cannot be stopped: systemd would start it again at once, for a unit that runs;
   * undefined when nothing stands against it.
   */
  whyUpheld(unit: string): string | undefined {
    const by = [...this.#assigned.values()].find(
      (one) =>
        one.desired === 'launched' &&
        one.unit !== unit &&
        (this.#of(one.unit).upholds.includes(unit) || this.#of(unit).upheldBy.includes(one.unit)),
    );
    return by === undefined ? undefined : `${by.unit} upholds it, so that systemd would start it again`;
  }

  /** Units that should be loaded only and that systemd starts with these. */
  pulledBy(units: Iterable<string>): string[] {
    const queue = [...units];
    const seen = new Set(queue);
    for (const unit of queue)
      for (const next of [...this.#needsOf(unit), ...this.#wantsOf(unit)])
        if (this.#assigned.has(next) && !seen.has(next)) {
          seen.add(next);
          queue.push(next);
        }
    return queue.filter((unit) => this.#assigned.get(unit)?.desired === 'loaded');
  }

  #needsOf(unit: string): readonly string[] {
    return [...this.#of(unit).needs, ...(this.#byInstall().needs.get(unit) ?? [])];
  }

  #wantsOf(unit: string): readonly string[] {
    return [...this.#of(unit).wants, ...(this.#byInstall().wants.get(unit) ?? [])];
  }

  #byInstall(): { needs: Map<string, string[]>; wants: Map<string, string[]> } {
    if (this.#installed !== undefined) return this.#installed;
    const needs = new Map<string, string[]>();
    const wants = new Map<string, string[]>();
    for (const unit of this.#assigned.keys()) {
      const { neededBy, wantedBy } = this.#of(unit);
      for (const by of neededBy) needs.set(by, [...(needs.get(by) ?? []), unit]);
      for (const by of wantedBy) wants.set(by, [...(wants.get(by) ?? []), unit]);
    }
    this.#installed = { needs, wants };
    return this.#installed;
  }

  #of(unit: string): Links {
    const known = this.#links.get(unit);
    if (known !== undefined) return known;
    const text = this.#files.get(this.#assigned.get(unit)?.hash ?? '') ?? '';
    const links = LINKING.test(text) ? linksOf(unit, parseUnitFile(text)) : NO_LINKS;
    this.#links.set(unit, links);
    return links;
  }
}

function linksOf(unit: string, file: UnitFile): Links {
  const name = parseUnitName(unit);
  const names = (section: string, ...keys: readonly string[]): string[] =>
    keys
      .flatMap((key) => effectiveValues(file, section, key))
      .flatMap((value) => value.split(/\s+/))
      .filter((word) => word !== '')
      .map((word) => expandSpecifiers(word, (letter) => resolveByName(letter, name)));
  return {
    needs: names('Unit', 'Requires', 'Requisite', 'BindsTo'),
    wants: names('Unit', 'Wants', 'Upholds'),
    upholds: names('Unit', 'Upholds'),
    upheldBy: names('Install', 'UpheldBy'),
    neededBy: names('Install', 'RequiredBy'),
    wantedBy: names('Install', 'WantedBy', 'UpheldBy'),
  };
}
