import { UnitFacts } from '../plan/index.ts';
import type { LeavingUnit } from '../plan/model.ts';
import type { Entry, Range, Revision, StoreEvent } from '../store/port.ts';
import { parsed } from './fields.ts';
import {
  MOVED_SOMEWHERE,
  type MovedTo,
  NO_IDENTITY,
  type RegistryIdentity,
  readGeneration,
  readId,
  readMoved,
} from './identity.ts';
import type { MachineRecord, Problem, RegistryState, UnitRecord } from './model.ts';
import { readFileText, readLeaving, readMachine, readUnit } from './validate.ts';

/** Reads everything below the prefix. Values that cannot be read are in `problems`. */
export function readState(prefix: string, { entries, revision }: Range): RegistryState {
  const draft = new Draft(prefix);
  for (const entry of entries) draft.put(entry);
  return draft.done(revision);
}

/**
 * The state after these events; the same one when none of them is about machines, units, files or the schedule; null
 * when it has to be read anew, because a file came that a unit had been without.
 */
export function applyEvents(
  prefix: string,
  state: RegistryState,
  changes: { readonly events: readonly StoreEvent[]; readonly revision: Revision },
): RegistryState | null {
  // A state that was read anew may already have what the watch delivers only now.
  const events = changes.events.filter((event) => revisionOf(event) > state.revision);
  const paths = events.map((event) => pathOf(prefix, event));
  if (!paths.some(isRead)) return state;
  const waiting = state.problems.some(
    ({ missing, follows }) => follows || (missing !== undefined && paths.includes(`files/${missing}`)),
  );
  if (waiting) return null;
  const draft = new Draft(prefix, state);
  for (const event of events) {
    if (event.type === 'put') draft.put(event.entry);
    else draft.remove(event.key);
  }
  return draft.done(changes.revision);
}

function revisionOf(event: StoreEvent): Revision {
  return event.type === 'put' ? event.entry.revision : event.revision;
}

const KINDS = ['machines', 'units', 'files', 'leaving'] as const;
type Kind = (typeof KINDS)[number];

function pathOf(prefix: string, event: StoreEvent): string {
  return (event.type === 'put' ? event.entry.key : event.key).slice(prefix.length);
}

function kindOf(path: string): Kind | null {
  const folder = path.slice(0, path.indexOf('/'));
  return KINDS.find((kind) => kind === folder) ?? null;
}

const SINGLE: ReadonlySet<string> = new Set(['schedule', 'id', 'generation', 'moved']);

/** What a state is read from: in order, and nothing that is kept beside it. */
export const STATE_PATHS: readonly string[] = [...KINDS.map((kind) => `${kind}/`), ...SINGLE].sort();

/** Whether a state holds this path. Of the schedule only the revision matters. */
function isRead(path: string): boolean {
  return kindOf(path) !== null || SINGLE.has(path);
}

class Draft {
  readonly #prefix: string;
  readonly #machines: Map<string, MachineRecord>;
  readonly #units: Map<string, UnitRecord>;
  readonly #files: Map<string, string>;
  readonly #leaving: Map<string, LeavingUnit>;
  /** By key. */
  readonly #problems: Map<string, Problem>;
  readonly #revisions: Map<string, Revision>;
  #identity: RegistryIdentity;
  #moved: MovedTo | null;
  readonly #facts = new UnitFacts();

  constructor(prefix: string, state?: RegistryState) {
    this.#prefix = prefix;
    this.#machines = new Map(state?.machines);
    this.#units = new Map(state?.units);
    this.#files = new Map(state?.files);
    this.#leaving = new Map(state?.leaving);
    this.#problems = new Map(state?.problems.map((problem) => [problem.key, problem]));
    this.#revisions = new Map(state?.revisions);
    this.#identity = state?.identity ?? NO_IDENTITY;
    this.#moved = state?.moved ?? null;
  }

  put(entry: Entry): void {
    const path = entry.key.slice(this.#prefix.length);
    if (!isRead(path)) return;
    this.remove(entry.key);
    this.#revisions.set(path, entry.revision);
    if (path === 'schedule') return;
    const kind = kindOf(path);
    try {
      const value = parsed(entry.value);
      if (kind === null) {
        this.#putSingle(path, value);
        return;
      }
      const name = path.slice(kind.length + 1);
      if (kind === 'machines') this.#machines.set(name, readMachine(value, name));
      else if (kind === 'units') this.#units.set(name, readUnit(value, name));
      else if (kind === 'leaving') this.#leaving.set(name, readLeaving(value, name));
      else this.#files.set(name, readFileText(value));
    } catch (error) {
      if (path === 'moved') this.#moved = MOVED_SOMEWHERE;
      this.#problems.set(entry.key, { key: entry.key, message: (error as Error).message });
    }
  }

  #putSingle(path: string, value: unknown): void {
    if (path === 'id') this.#identity = { ...this.#identity, id: readId(value) };
    else if (path === 'generation') this.#identity = { ...this.#identity, ...readGeneration(value) };
    else this.#moved = readMoved(value);
  }

  #removeSingle(path: string): void {
    const { id, ...rest } = this.#identity;
    if (path === 'id') this.#identity = { ...rest, id: null };
    else if (path === 'generation') this.#identity = { ...NO_IDENTITY, id };
    else if (path === 'moved') this.#moved = null;
  }

  remove(key: string): void {
    const path = key.slice(this.#prefix.length);
    this.#revisions.delete(path);
    this.#problems.delete(key);
    const kind = kindOf(path);
    if (kind === null) {
      this.#removeSingle(path);
      return;
    }
    const name = path.slice(kind.length + 1);
    const all: Readonly<Record<Kind, Map<string, unknown>>> = {
      machines: this.#machines,
      units: this.#units,
      files: this.#files,
      leaving: this.#leaving,
    };
    all[kind].delete(name);
  }

  done(revision: Revision): RegistryState {
    for (const unit of this.#units.values()) {
      const problem = this.#problemOf(unit);
      if (problem === null) continue;
      const key = `${this.#prefix}units/${unit.name}`;
      this.#problems.set(key, { key, ...problem });
      this.#units.delete(unit.name);
    }
    const folder = `${this.#prefix}units/`;
    const unreadable = [...this.#problems.keys()].filter((key) => key.startsWith(folder));
    return {
      machines: this.#machines,
      units: this.#units,
      files: this.#files,
      leaving: this.#leaving,
      problems: [...this.#problems.values()],
      identity: this.#identity,
      moved: this.#moved,
      unreadable: new Set(unreadable.map((key) => key.slice(folder.length))),
      revisions: this.#revisions,
      revision,
    };
  }

  /** Why a unit whose record can be read is of no use all the same. */
  #problemOf({ name, hash, machine }: UnitRecord): Omit<Problem, 'key'> | null {
    const text = this.#files.get(hash);
    if (text === undefined) {
      const isBroken = this.#problems.has(`${this.#prefix}files/${hash}`);
      const message = `its file ${hash.slice(0, 7)} ${isBroken ? 'cannot be read' : 'is missing'}`;
      return { message, missing: hash, ...(isBroken && { follows: true }) };
    }
    // Placing it elsewhere would make a second copy: it still runs there.
    if (machine !== null && this.#problems.has(`${this.#prefix}machines/${machine}`))
      return { message: `the record of its machine ${machine} cannot be read`, follows: true };
    try {
      this.#facts.of(name, text);
      return null;
    } catch (error) {
      return { message: `its file ${hash.slice(0, 7)} is no unit file: ${(error as Error).message}` };
    }
  }
}
