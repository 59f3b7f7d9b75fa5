import { ClusterError, EXIT } from '../error.ts';
import { inBatches } from '../store/limits.ts';
import type { Compare, Revision, Store, Write } from '../store/port.ts';
import type { Author } from './author.ts';
import { HistoryRegistry, versionsIn } from './history.ts';
import { nextIdentity, type RegistryIdentity } from './identity.ts';
import { below } from './keys.ts';
import type { RegistryChange, RegistryState, UnitRecord, Written } from './model.ts';
import { movedError } from './moved.ts';
import { applyEvents, readState, STATE_PATHS } from './state.ts';
import { changesOf } from './watch.ts';

/** What the cluster should be: machines, units and their files. */
export class Registry {
  readonly #store: Store;
  readonly #prefix: string;
  readonly #author: Author | null;
  readonly #history: HistoryRegistry;
  readonly #newer = new Set<string>();

  /** With an author the texts of unit files are kept in their history. */
  constructor(store: Store, prefix: string, author: Author | null = null) {
    this.#store = store;
    this.#prefix = below(prefix);
    this.#author = author;
    this.#history = new HistoryRegistry(store, prefix);
  }

  /** Unit files whose history has grown by this object's writes. */
  get newer(): ReadonlySet<string> {
    return this.#newer;
  }

  /** Everything, in one consistent read. Values that cannot be read are in `problems`, never an error. */
  async load(): Promise<RegistryState> {
    return readState(this.#prefix, await this.#store.ranges(STATE_PATHS.map((path) => this.#prefix + path)));
  }

  /**
   * The state after each change that follows `from`, until the signal aborts; changes of one moment come as one state,
   * and a transaction is never seen in part. A change below our prefix that is about something else yields nothing.
   */
  async *watch(from: RegistryState, signal: AbortSignal): AsyncIterable<RegistryState> {
    let state = from;
    for await (const batch of changesOf(this.#store, this.#prefix, from.revision, signal)) {
      const next =
        batch.all === null ? applyEvents(this.#prefix, state, batch) : readState(this.#prefix, batch.all);
      if (next === state) continue;
      state = next ?? (await this.load());
      yield state;
    }
  }

  /**
   * Writes a change that rests on `state`. Every key it touches must still be as it was read, and so must the
   * schedule as a whole (`schedule` key), since a placement rests on all others.
   * `commits` names the commit of a file by its hash, for the history.
   * All of a change is one generation of the registry; the first one gives the registry its id.
   * @returns what was written; 'moved' when only the schedule changed meanwhile (read again and decide again).
   * @throws ClusterError `changed-meanwhile` (exit 6) naming the unit or machine that somebody else changed,
   * `registry-moved`, `registry-nameless`.
   */
  async change(
    state: RegistryState,
    change: RegistryChange,
    commits: ReadonlyMap<string, string> = new Map(),
  ): Promise<Written | 'moved'> {
    if (state.moved !== null) throw movedError(state.moved);
    this.#requireIdentity(state);
    const writes = [...this.#writes(state, change), ...this.#versions(state, change, commits)];
    const revisions = new Map<string, Revision>();
    let schedule = state.revisions.get('schedule') ?? 0;
    if (writes.length === 0 && state.identity.id !== null)
      return { schedule, revisions, identity: state.identity };
    const identity = nextIdentity(state.identity);
    const { id, generation, marks } = identity;
    const counted = [this.#put('generation', { v: 1, generation, marks })];
    if (state.identity.id === null) counted.push(this.#put('id', { v: 1, id }));
    const batches = writes.length === 0 ? [[]] : inBatches(writes, charactersOf);
    for (const [at, batch] of batches.entries()) {
      const paths = batch.map(({ path }) => path).filter((path) => !/^(files|history)\//.test(path));
      const singles = at === 0 ? ['id', 'moved'] : ['moved'];
      const compare = [...paths, ...singles].map((path) => this.#asRead(state, path));
      const done = await this.#store.commit({
        compare: [...compare, { key: `${this.#prefix}schedule`, revision: schedule }],
        writes: [
          ...batch.map(({ write }) => write),
          ...(at === 0 ? counted : []),
          this.#put('schedule', { v: 1 }),
        ],
      });
      if (done === null) {
        await this.#explain(state, paths);
        return 'moved';
      }
      schedule = done;
      for (const { path } of batch) revisions.set(path, done);
    }
    for (const path of revisions.keys())
      if (path.startsWith('history/')) this.#newer.add(path.split('/')[1] ?? '');
    return { schedule, revisions, identity };
  }

  /** The identity as it is now. */
  async identity(): Promise<RegistryIdentity> {
    return (await this.load()).identity;
  }

  /** Revision of the last change of a machine, a unit or a placement; 0 = there was none. */
  async schedule(): Promise<Revision> {
    return (await this.#store.get(`${this.#prefix}schedule`))?.revision ?? 0;
  }

  /**
   * Forgets units that machines are rid of, by `leavingKey`, each at the revision of its record. One that somebody else
   * wrote anew meanwhile stays.
   */
  async settle(gone: ReadonlyMap<string, Revision>): Promise<void> {
    const writes = [...gone].map(([key, revision]) => ({ key: `${this.#prefix}leaving/${key}`, revision }));
    const commit = (batch: typeof writes) =>
      this.#store.commit({ compare: batch, writes: batch.map(({ key }) => ({ remove: key })) });
    for (const batch of inBatches(writes, () => 1))
      if ((await commit(batch)) === null) for (const one of batch) await commit([one]);
  }

  #versions(state: RegistryState, change: RegistryChange, commits: ReadonlyMap<string, string>): PathWrite[] {
    if (this.#author === null) return [];
    const versions = versionsIn(state, change, { author: this.#author, at: new Date(), commits });
    return this.#history
      .writesToKeep(versions, state.identity.generation + 1)
      .map((write) => ({ path: write.put.slice(this.#prefix.length), write }));
  }

  /** An identity that cannot be read is not replaced by a new one: every machine would refuse that. */
  #requireIdentity({ problems }: RegistryState): void {
    const keys = ['id', 'generation'].map((path) => this.#prefix + path);
    const problem = problems.find(({ key }) => keys.includes(key));
    if (problem === undefined) return;
    throw new ClusterError(
      'registry-nameless',
      `${problem.key} cannot be read (${problem.message}), so nobody knows which registry this is: nothing was changed`,
      {
        key: problem.key,
        hint: `put a backup of this key back; else cluster registry rm-key ${problem.key}, then cluster machine add --take-over for each machine`,
        exit: EXIT.conflict,
      },
    );
  }

  #asRead(state: RegistryState, path: string): Compare {
    return { key: this.#prefix + path, revision: state.revisions.get(path) ?? 0 };
  }

  #put(path: string, value: unknown): Write {
    return { put: this.#prefix + path, value: JSON.stringify(value) };
  }

  /** @throws when one of these keys is no longer as `state` has it. */
  async #explain(state: RegistryState, paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const now = await this.#store.get(this.#prefix + path);
      if ((now?.revision ?? 0) === (state.revisions.get(path) ?? 0)) continue;
      const [kind = '', name = ''] = path.split('/', 2);
      const what = kind === 'machines' ? 'machine' : 'unit';
      throw new ClusterError(
        'changed-meanwhile',
        `somebody else changed ${what} ${name} at the same moment`,
        {
          hint: `nothing of yours was written for it; look again (cluster list-unit-files) and repeat the command`,
          exit: EXIT.conflict,
        },
      );
    }
  }

  #writes(state: RegistryState, change: RegistryChange): PathWrite[] {
    const out: PathWrite[] = [];
    const put = (path: string, value: unknown): void => {
      out.push({ path, write: this.#put(path, value) });
    };
    const remove = (path: string): void => {
      if (state.revisions.has(path)) out.push({ path, write: { remove: this.#prefix + path } });
    };
    for (const [hash, text] of change.files ?? [])
      if (!state.files.has(hash)) put(`files/${hash}`, { v: 1, text });
    for (const [id, machine] of change.machines ?? []) {
      if (machine === null) remove(`machines/${id}`);
      else put(`machines/${id}`, machine);
    }
    for (const [name, unit] of change.units ?? []) {
      if (unit === null) remove(`units/${name}`);
      else if (!same(state.units.get(name), unit)) put(`units/${name}`, unit);
    }
    for (const [key, leaving] of change.leaving ?? []) {
      if (leaving === null) remove(`leaving/${key}`);
      else put(`leaving/${key}`, leaving);
    }
    for (const hash of orphans(state, change)) remove(`files/${hash}`);
    return out;
  }
}

interface PathWrite {
  readonly path: string;
  readonly write: Write;
}

function charactersOf({ write }: PathWrite): number {
  return 'put' in write ? write.value.length : 0;
}

function same(a: UnitRecord | undefined, b: UnitRecord): boolean {
  if (a === undefined || a.hash !== b.hash || a.desired !== b.desired || a.machine !== b.machine)
    return false;
  const [one, other] = [Object.entries(a.hashes ?? {}), b.hashes ?? {}];
  return one.length === Object.keys(other).length && one.every(([id, hash]) => other[id] === hash);
}

/** All files that a unit names. */
const hashesOf = (unit: UnitRecord): string[] => [unit.hash, ...Object.values(unit.hashes ?? {})];

function orphans(state: RegistryState, change: RegistryChange): string[] {
  const kept = new Set(change.files?.keys() ?? []);
  const lost = new Set<string>();
  for (const [name, unit] of change.units ?? []) {
    const old = state.units.get(name);
    const now = new Set(unit === null ? [] : hashesOf(unit));
    for (const hash of old === undefined ? [] : hashesOf(old)) if (!now.has(hash)) lost.add(hash);
    for (const hash of now) kept.add(hash);
  }
  if (lost.size === 0) return [];
  for (const unit of state.units.values())
    if (!change.units?.has(unit.name)) for (const hash of hashesOf(unit)) kept.add(hash);
  return [...lost].filter((hash) => !kept.has(hash));
}
