import type { Rollout } from '../rollout/index.ts';
import { inBatches } from '../store/limits.ts';
import type { Compare, Entry, Lease, Range, Revision, Store, Write } from '../store/port.ts';
import { below } from './keys.ts';
import { type LockEdit, locksBelow, transactionOf } from './locks.ts';
import type { Problem } from './model.ts';
import { type DriverRecord, readDriver, readRollout } from './validate-rollout.ts';
import { changesOf } from './watch.ts';

/** A rollout as it is recorded. */
export interface RolloutEntry {
  readonly rollout: Rollout;
  /** Of the last write of the record. */
  readonly revision: Revision;
}

/** All rollouts that are recorded, at one store revision. */
export interface RolloutsState {
  /** Newest first. */
  readonly rollouts: readonly RolloutEntry[];
  /** By id of the rollout. */
  readonly drivers: ReadonlyMap<string, DriverRecord>;
  readonly problems: readonly Problem[];
  /** The highest number that a key has, whether its value can be read or not; 0 = there is none. */
  readonly highest: number;
  /** Of the key that every begin of a rollout writes; 0 = none was ever begun. */
  readonly begun: Revision;
  readonly revision: Revision;
}

/** What a rollout's driver holds: as long as it has the key, nobody else drives. */
export interface DriverHold {
  readonly id: string;
  readonly revision: Revision;
  readonly lease: Lease;
}

/** So many rollouts that are at their end are kept. */
const KEPT = 20;
const ENDED: ReadonlySet<string> = new Set(['done', 'rolled-back', 'aborted']);

/**
 * Rollouts, the files that they need to go on or back, and who drives them. A record is written only by who has read
 * its newest revision, and by a driver only as long as its lease lives.
 */
export class RolloutRegistry {
  readonly #store: Store;
  readonly #rollouts: string;
  readonly #files: string;
  readonly #drivers: string;
  readonly #locks: string;
  /** Holds the highest number that was given to a rollout. */
  readonly #number: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#rollouts = below(prefix, 'rollouts/');
    this.#files = below(prefix, 'rollout-files/');
    this.#drivers = below(prefix, 'rollout-drivers/');
    this.#locks = locksBelow(prefix);
    this.#number = below(prefix, 'rollout-number');
  }

  async load(): Promise<RolloutsState> {
    // First of all: who begins a rollout later than this is found out by its revision.
    const number = await this.#store.get(this.#number);
    const [range, drivers] = await Promise.all([
      this.#store.range(this.#rollouts),
      this.#store.range(this.#drivers),
    ]);
    return { ...this.#read(range), drivers: this.#readDrivers(drivers), begun: number?.revision ?? 0 };
  }

  /** One rollout; null = there is none by this id, or it cannot be read. */
  async get(id: string): Promise<RolloutEntry | null> {
    const entry = await this.#store.get(this.#rollouts + id);
    return entry === null ? null : this.#entry(entry, []);
  }

  /** Who drives it now; null = nobody. */
  async driver(id: string): Promise<DriverRecord | null> {
    const entry = await this.#store.get(this.#drivers + id);
    return entry === null ? null : readDriver(entry.value);
  }

  /** The record after each change that follows a revision, until the signal aborts; null = it is gone. */
  async *watch(id: string, after: Revision, signal: AbortSignal): AsyncIterable<RolloutEntry | null> {
    const key = this.#rollouts + id;
    for await (const { all, events } of changesOf(this.#store, key, after, signal)) {
      const last = events.findLast((event) => (event.type === 'put' ? event.entry.key : event.key) === key);
      if (all === null && last === undefined) continue;
      const entry =
        all === null
          ? last?.type === 'put'
            ? last.entry
            : null
          : all.entries.find((one) => one.key === key);
      yield entry ? this.#entry(entry, []) : null;
    }
  }

  /**
   * Records a new rollout under the next number, with the files that it needs, by hash. `ended` are others that end in the same
   * transaction. The oldest that are at their end are forgotten.
   * @returns null when somebody else began or changed a rollout since `state` was read.
   */
  async begin(
    state: RolloutsState,
    rollout: Omit<Rollout, 'id'>,
    files: ReadonlyMap<string, string>,
    ended: readonly RolloutEntry[] = [],
  ): Promise<RolloutEntry | null> {
    await this.#putFiles(files);
    const last = await this.#store.get(this.#number);
    if ((last?.revision ?? 0) !== state.begun) return null;
    const id = String(Math.max(last === null ? 0 : readNumber(last.value), state.highest) + 1);

    const old = state.rollouts.filter(({ rollout: one }) => ENDED.has(one.state)).slice(KEPT - 1);
    const record: Rollout = { ...rollout, id };
    const key = this.#rollouts + id;
    const compare: Compare[] = [
      { key: this.#number, revision: state.begun },
      { key, revision: 0 },
      ...ended.map((one) => ({ key: this.#rollouts + one.rollout.id, revision: one.revision })),
    ];
    const gone = new Set(old.slice(0, KEPT).map((one) => one.rollout.id));
    const writes: Write[] = [
      { put: this.#number, value: JSON.stringify({ v: 1, last: Number(id) }) },
      { put: key, value: JSON.stringify(record) },
      ...ended.map((one) => ({ put: this.#rollouts + one.rollout.id, value: JSON.stringify(one.rollout) })),
      ...[...gone].map((one) => ({ remove: this.#rollouts + one })),
    ];
    const revision = await this.#store.commit({ compare, writes });
    if (revision === null) return null;
    if (gone.size > 0) await this.#forgetFiles();
    return { rollout: record, revision };
  }

  /**
   * Records a rollout that was read as `entry`. `driver`: only as long as this driver holds it. `begun`: only if no
   * rollout was begun since that revision, and so that no other can be begun on the same. `locks`: slots that are taken
   * or given back with it.
   * @returns null when it, or what it rests on, was changed meanwhile.
   */
  async change(
    entry: RolloutEntry,
    rollout: Rollout,
    {
      driver,
      begun,
      locks = [],
    }: {
      readonly driver?: DriverHold;
      readonly begun?: Revision;
      readonly locks?: readonly LockEdit[];
    } = {},
  ): Promise<RolloutEntry | null> {
    const key = this.#rollouts + rollout.id;
    const slots = transactionOf(this.#locks, locks);
    const compare: Compare[] = [{ key, revision: entry.revision }, ...slots.compare];
    const writes: Write[] = [{ put: key, value: JSON.stringify(rollout) }, ...slots.writes];
    if (driver !== undefined) compare.push({ key: this.#drivers + driver.id, revision: driver.revision });
    if (begun !== undefined) {
      const number = await this.#store.get(this.#number);
      compare.push({ key: this.#number, revision: begun });
      if (number !== null) writes.push({ put: this.#number, value: number.value });
    }
    const revision = await this.#store.commit({ compare, writes });
    return revision === null ? null : { rollout, revision };
  }

  /** Takes the rollout for as long as the lease is kept alive. @returns null when somebody else holds it. */
  async drive(id: string, driver: DriverRecord, ttlSeconds: number): Promise<DriverHold | null> {
    const key = this.#drivers + id;
    if ((await this.#store.get(key)) !== null) return null;
    const lease = await this.#store.lease(ttlSeconds);
    const write = { put: key, value: JSON.stringify(driver), lease: lease.id };
    const revision = await this.#store.commit({ compare: [{ key, revision: 0 }], writes: [write] });
    if (revision !== null) return { id, revision, lease };
    await lease.revoke();
    return null;
  }

  /** Text of the files that rollouts need, by hash. */
  async files(): Promise<ReadonlyMap<string, string>> {
    const { entries } = await this.#store.range(this.#files);
    return new Map(entries.map(({ key, value }) => [key.slice(this.#files.length), readText(value)]));
  }

  async #putFiles(files: ReadonlyMap<string, string>): Promise<void> {
    const writes = [...files].map(([hash, text]) => ({
      put: this.#files + hash,
      value: JSON.stringify({ v: 1, text }),
    }));
    for (const batch of inBatches(writes, ({ value }) => value.length))
      await this.#store.commit({ compare: [], writes: batch });
  }

  /** Removes files that no rollout needs any more. */
  async #forgetFiles(): Promise<void> {
    const state = await this.load();
    const needed = new Set(
      state.rollouts.flatMap(({ rollout }) => rollout.items.flatMap(({ from, to }) => [from?.hash, to.hash])),
    );
    const { entries } = await this.#store.range(this.#files);
    const unneeded = entries.filter(({ key }) => !needed.has(key.slice(this.#files.length)));
    for (const batch of inBatches(unneeded)) {
      // Whoever begins a rollout at this moment has put its files before.
      const compare = [{ key: this.#number, revision: state.begun }];
      const done = await this.#store.commit({ compare, writes: batch.map(({ key }) => ({ remove: key })) });
      if (done === null) return;
    }
  }

  #read({ entries, revision }: Range): Omit<RolloutsState, 'drivers' | 'begun'> {
    const problems: Problem[] = [];
    const rollouts = entries.flatMap((entry) => this.#entry(entry, problems) ?? []);
    rollouts.sort((a, b) => Number(b.rollout.id) - Number(a.rollout.id));
    const numbers = entries.map(({ key }) => Number(key.slice(this.#rollouts.length)) || 0);
    return { rollouts, problems, highest: numbers.reduce((a, b) => Math.max(a, b), 0), revision };
  }

  #entry({ key, value, revision }: Entry, problems: Problem[]): RolloutEntry | null {
    try {
      return { rollout: readRollout(value, key.slice(this.#rollouts.length)), revision };
    } catch (error) {
      problems.push({ key, message: (error as Error).message });
      return null;
    }
  }

  #readDrivers({ entries }: Range): Map<string, DriverRecord> {
    return new Map(
      entries.flatMap(({ key, value }) => {
        const record = readDriver(value);
        return record === null ? [] : [[key.slice(this.#drivers.length), record] as const];
      }),
    );
  }
}

function readNumber(value: string): number {
  const { last } = JSON.parse(value) as { last?: unknown };
  return typeof last === 'number' && Number.isSafeInteger(last) ? last : 0;
}

function readText(value: string): string {
  const { text } = JSON.parse(value) as { text?: unknown };
  return typeof text === 'string' ? text : '';
}
