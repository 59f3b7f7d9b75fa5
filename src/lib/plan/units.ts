import { ClusterError } from '../error.ts';
import type { Requirements } from '../unit/index.ts';
import { isTemplateName, type UnitFacts } from './facts.ts';
import { GlobIndex } from './globs.ts';
import type { UnitView } from './model.ts';

/** What all units with the same requirements share. */
export interface Wants {
  readonly requirements: Requirements;
  /** MachineMetadata as pairs of key and values. */
  readonly metadata: readonly (readonly [string, readonly string[]])[];
  /** Numbers of the globs. */
  readonly conflicts: readonly number[];
  readonly replaces: readonly number[];
}

/** A unit that is wanted loaded or launched; `index` is its position in the list sorted by name. */
export interface Wanted {
  readonly index: number;
  readonly name: string;
  readonly view: UnitView;
  readonly wants: Wants;
  readonly global: boolean;
  /** Units named by MachineOf; -1 = unknown, inactive or a template. */
  readonly leaders: readonly number[];
  /** Conflicts globs of anybody that match this name. */
  readonly conflictedBy: readonly number[];
  /** Replaces globs of anybody that match this name. */
  readonly replacedBy: readonly number[];
  /** Number of its template, where an instance of it counts instances (Spread=, MaxPerMachine=); else -1. */
  readonly group: number;
}

export interface WantedUnits {
  readonly list: readonly Wanted[];
  readonly conflicts: GlobIndex;
  readonly replaces: GlobIndex;
  readonly anyReplaces: boolean;
  /** Everything in the snapshot by name, inactive ones too. */
  readonly known: ReadonlyMap<string, UnitView>;
}

const NONE: readonly number[] = [];

/** Reads the units of a snapshot, sorts them by name and ties names and globs together. */
export function wantedUnits(views: readonly UnitView[], facts: UnitFacts): WantedUnits {
  const known = new Map<string, UnitView>();
  for (const view of views) {
    if (known.has(view.name)) {
      throw new ClusterError('unit-duplicate', `unit ${view.name} is listed twice`, { unit: view.name });
    }
    known.set(view.name, view);
  }

  const names: string[] = [];
  for (const view of views) {
    if (view.desired !== 'inactive' && !isTemplateName(view.name)) names.push(view.name);
  }
  names.sort();
  const position = new Map<string, number>();
  names.forEach((name, i) => {
    position.set(name, i);
  });

  const conflicts = new GlobIndex();
  const replaces = new GlobIndex();
  const shared = new Map<Requirements, Wants>();
  const wants = names.map((name) => {
    const { requirements } = facts.of(name, (known.get(name) as UnitView).file);
    let w = shared.get(requirements);
    if (w === undefined) {
      w = {
        requirements,
        metadata: Object.entries(requirements.metadata),
        conflicts: [...new Set(requirements.conflicts.map((p) => conflicts.add(p)))],
        replaces: [...new Set(requirements.replaces.map((p) => replaces.add(p)))],
      };
      shared.set(requirements, w);
    }
    return w;
  });

  const groups = groupsOf(names, wants);
  const list = names.map((name, index): Wanted => {
    const w = wants[index] as Wants;
    const { machineOf, global } = w.requirements;
    return {
      index,
      name,
      view: known.get(name) as UnitView,
      wants: w,
      global,
      leaders: machineOf.length === 0 ? NONE : machineOf.map((leader) => position.get(leader) ?? -1),
      conflictedBy: conflicts.matching(name),
      replacedBy: replaces.patterns.length === 0 ? NONE : replaces.matching(name),
      group: groups.size === 0 ? -1 : (groups.get(templateOf(name)) ?? -1),
    };
  });
  return { list, conflicts, replaces, anyReplaces: replaces.patterns.length > 0, known };
}

/** Numbers of the templates of which an instance counts instances. */
function groupsOf(names: readonly string[], wants: readonly Wants[]): ReadonlyMap<string, number> {
  const groups = new Map<string, number>();
  names.forEach((name, i) => {
    const { spread, maxPerMachine } = (wants[i] as Wants).requirements;
    if (spread.length === 0 && maxPerMachine === null) return;
    const template = templateOf(name);
    if (template !== '' && !groups.has(template)) groups.set(template, groups.size);
  });
  return groups;
}

/** `demo@.service` for `demo@1.service`; empty for a unit that is no instance. */
function templateOf(name: string): string {
  const at = name.indexOf('@');
  return at < 0 ? '' : name.slice(0, at + 1) + name.slice(name.lastIndexOf('.'));
}
