import { ClusterError, EXIT } from '../error.ts';
import type { Compare, Entry, Store, Write } from '../store/port.ts';
import type { MachineRecord, RegistryChange, RegistryState, UnitRecord } from './model.ts';
import { readFileText, readMachine, readUnit } from './validate.ts';

/** etcd refuses transactions of more than 128 operations and requests of more than 1.5 MiB. */
const CHUNK = { writes: 100, characters: 1_000_000 };

/** What the cluster should be, typed, on any store. */
export class Registry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = prefix.endsWith('/') ? prefix : `${prefix}/`;
  }

  /** Everything, in one consistent read. Values that do not read well are in `problems`, never an error. */
  async load(): Promise<RegistryState> {
    const range = await this.#store.range(this.#prefix);
    const machines = new Map<string, MachineRecord>();
    const units = new Map<string, UnitRecord>();
    const files = new Map<string, string>();
    const problems: { key: string; message: string }[] = [];
    const revisions = new Map<string, number>();
    for (const entry of range.entries) {
      const path = entry.key.slice(this.#prefix.length);
      revisions.set(path, entry.revision);
      const slash = path.indexOf('/');
      const kind = path.slice(0, slash);
      const name = path.slice(slash + 1);
      try {
        if (kind === 'machines') machines.set(name, readMachine(json(entry), name));
        else if (kind === 'units') units.set(name, readUnit(json(entry), name));
        else if (kind === 'files') files.set(name, readFileText(json(entry)));
      } catch (error) {
        problems.push({ key: entry.key, message: (error as Error).message });
      }
    }
    for (const unit of units.values()) {
      if (files.has(unit.hash)) continue;
      problems.push({
        key: `${this.#prefix}units/${unit.name}`,
        message: `its file ${unit.hash.slice(0, 7)} is missing`,
      });
      units.delete(unit.name);
    }
    return { machines, units, files, problems, revisions, revision: range.revision };
  }

  /**
   * Writes a change that rests on `state`. Every key it touches must still be as it was read, and so must the
   * schedule as a whole (`schedule` key), since a placement rests on all others.
   * @returns 'done'; 'moved' when only the schedule changed meanwhile (read again and decide again).
   * @throws ClusterError `changed-meanwhile` (exit 6) naming the unit or machine that somebody else changed.
   */
  async change(state: RegistryState, change: RegistryChange): Promise<'done' | 'moved'> {
    const writes = this.#writes(state, change);
    if (writes.length === 0) return 'done';
    let schedule = state.revisions.get('schedule') ?? 0;
    for (const chunk of chunks(writes)) {
      const compare: Compare[] = chunk.map(({ path }) => ({
        key: this.#prefix + path,
        revision: state.revisions.get(path) ?? 0,
      }));
      compare.push({ key: `${this.#prefix}schedule`, revision: schedule });
      const done = await this.#store.commit({
        compare: compare.filter((item) => !item.key.startsWith(`${this.#prefix}files/`)),
        writes: [...chunk.map(({ write }) => write), { put: `${this.#prefix}schedule`, value: '{"v":1}' }],
      });
      if (done === null) {
        await this.#explain(
          state,
          chunk.map(({ path }) => path),
        );
        return 'moved';
      }
      schedule = done;
    }
    return 'done';
  }

  /** @throws when one of these keys is no longer as `state` has it. */
  async #explain(state: RegistryState, paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      if (path.startsWith('files/')) continue;
      const now = await this.#store.get(this.#prefix + path);
      if ((now?.revision ?? 0) === (state.revisions.get(path) ?? 0)) continue;
      const [kind = '', name = ''] = path.split('/', 2);
      throw new ClusterError(
        'changed-meanwhile',
        `somebody else changed ${kind.slice(0, -1)} ${name} at the same moment`,
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
      out.push({ path, write: { put: this.#prefix + path, value: JSON.stringify(value) } });
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
    for (const hash of orphans(state, change)) remove(`files/${hash}`);
    return out;
  }
}

interface PathWrite {
  readonly path: string;
  readonly write: Write;
}

function chunks(writes: readonly PathWrite[]): PathWrite[][] {
  const out: PathWrite[][] = [];
  let size = 0;
  for (const item of writes) {
    const length = 'put' in item.write ? item.write.value.length : 0;
    const last = out.at(-1);
    if (last === undefined || last.length >= CHUNK.writes || size + length > CHUNK.characters) {
      out.push([item]);
      size = length;
    } else {
      last.push(item);
      size += length;
    }
  }
  return out;
}

function json(entry: Entry): unknown {
  try {
    return JSON.parse(entry.value);
  } catch {
    throw new Error('the value is not JSON');
  }
}

function same(a: UnitRecord | undefined, b: UnitRecord): boolean {
  return a !== undefined && a.hash === b.hash && a.desired === b.desired && a.machine === b.machine;
}

function orphans(state: RegistryState, change: RegistryChange): string[] {
  const kept = new Set(change.files?.keys() ?? []);
  const lost = new Set<string>();
  for (const [name, unit] of change.units ?? []) {
    const old = state.units.get(name);
    if (old !== undefined && old.hash !== unit?.hash) lost.add(old.hash);
    if (unit !== null) kept.add(unit.hash);
  }
  if (lost.size === 0) return [];
  for (const unit of state.units.values()) if (!change.units?.has(unit.name)) kept.add(unit.hash);
  return [...lost].filter((hash) => !kept.has(hash));
}
