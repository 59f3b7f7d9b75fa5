import { setTimeout as sleep } from 'node:timers/promises';
import { ClusterError } from '../error.ts';
import { Bell } from '../keep/wakeup.ts';
import type { Compare, Store, Write } from '../store/port.ts';
import { encode, keepUnknown, parseObject, parsePath } from '../traffic/index.ts';
import { Complaints } from './complaints.ts';
import { Mirror } from './mirror.ts';
import { decide, type Edit, type Instance, type View } from './offers/edits.ts';
import { presencePrefix, readPresence } from './offers/presence.ts';
import { type Idle, sweep } from './offers/sweep.ts';
import type { Troubles } from './troubles.ts';
import { told } from './words.ts';

export interface AnnouncerOptions {
  readonly store: Store;
  /** machine-id */
  readonly machine: string;
  readonly prefix: string;
  readonly trafficPrefix: string;
  /** How long shared objects outlive the last instance. */
  readonly graceMs: number;
  /** What is to be announced now; null = not known yet, and then nothing is touched. */
  readonly instances: () => readonly Instance[] | null;
  /** The store says that our lease is gone. */
  readonly leaseLost: () => void;
  readonly print: (line: string) => void;
  readonly problem: (message: string) => void;
  readonly troubles: Troubles;
}

/** etcd takes 128 operations in one transaction. */
const MOST_EDITS = 100;
const AGAIN_MS = 200;
const STALE_AFTER = 5;

/** Makes the registry say what runs here, again and again, whenever something is different. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #mirrors: { readonly traffic: Mirror; readonly presence: Mirror };
  readonly #mine = new Set<string>();
  readonly #loaded = new Set<Mirror>();
  readonly #complaints: Complaints;
  #lease: string | undefined;
  #idle: Idle = new Map();
  readonly #bell = new Bell();
  #timer: NodeJS.Timeout | undefined;
  #thoughtMs = 0;
  /** Transactions in a row that somebody else's writes defeated. */
  #defeats = 0;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    const { store, prefix, trafficPrefix } = options;
    this.#complaints = new Complaints(options.problem);
    this.#mirrors = {
      traffic: new Mirror(store, `${trafficPrefix.replace(/\/$/, '')}/`),
      presence: new Mirror(store, presencePrefix(prefix)),
    };
  }

  /** Something is different: look again. */
  wake(): void {
    this.#bell.ring();
  }

  /** All that is ours moves to this lease. */
  setLease(lease: string): void {
    this.#lease = lease;
    this.#mine.add(lease);
    this.wake();
  }

  /**
   * Until the signal aborts; what is announced then stays, on its lease.
   * @throws `registrator-displaced` when another registrator of this machine has taken over.
   */
  async run(signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([signal, over.signal]);
    const follows = Object.values(this.#mirrors).map((mirror) => this.#follow(mirror, either));
    signal.addEventListener('abort', () => this.wake(), { once: true });
    try {
      await this.#work(signal);
    } finally {
      over.abort();
      clearTimeout(this.#timer);
      await Promise.all(follows);
    }
  }

  async #follow(mirror: Mirror, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const revision = await mirror.load();
        if (mirror === this.#mirrors.presence && !this.#loaded.has(mirror)) this.#inherit();
        this.#loaded.add(mirror);
        this.#options.troubles.over(mirror.prefix);
        this.wake();
        await mirror.follow(revision, signal, () => this.wake());
      } catch (error) {
        if (!signal.aborted) this.#options.troubles.met(mirror.prefix, error);
      }
      await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The leases of an earlier run on this machine, whose announcements we go on with. */
  #inherit(): void {
    for (const { value, lease } of this.#mirrors.presence.entries.values())
      if (lease !== null && readPresence(value)?.machine === this.#options.machine) this.#mine.add(lease);
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#bell.wait();
      if (signal.aborted) return;
      try {
        if (!(await this.#once())) await this.#defeated();
        else this.#defeats = 0;
        this.#options.troubles.over('write');
        // With thousands of containers, thinking leaves half of the time to the checks.
        if (this.#thoughtMs > 2) await sleep(this.#thoughtMs, undefined, { signal }).catch(() => undefined);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ClusterError && error.code === 'registrator-displaced') throw error;
        if (error instanceof ClusterError && error.code === 'lease-expired') this.#options.leaseLost();
        else this.#options.troubles.met('write', error);
        await sleep(AGAIN_MS, undefined, { signal }).catch(() => undefined);
        this.wake();
      }
    }
  }

  /** false = somebody else wrote what a decision rested on. */
  async #once(): Promise<boolean> {
    const instances = this.#options.instances();
    const { traffic, presence } = this.#mirrors;
    if (this.#lease === undefined || this.#loaded.size < 2 || instances === null) return true;
    const view: View = {
      machine: this.#options.machine,
      lease: this.#lease,
      mine: this.#mine,
      traffic: traffic.entries,
      presence: presence.entries,
    };
    this.#refuseDisplaced(view);
    const started = performance.now();
    const { groups, problems } = decide(view, instances);
    this.#thoughtMs = performance.now() - started;
    this.#complaints.report(problems);
    for (const edits of packed(groups)) if (!(await this.#commit(edits))) return false;
    return this.#sweep(view);
  }

  async #sweep(view: View): Promise<boolean> {
    const now = performance.now();
    const { graceMs } = this.#options;
    const { edits, idle } = sweep(view, this.#idle, now, graceMs);
    this.#idle = idle;
    // One by one: another registrator sweeps as well, and may have been first with some of it.
    for (const edit of edits) {
      if (await this.#hasInstances(edit.path)) return false;
      if (!(await this.#commit([edit]))) return false;
    }
    const waiting = [...idle.values()].map((since) => since + graceMs - now).filter((ms) => ms > 0);
    clearTimeout(this.#timer);
    if (waiting.length > 0) this.#timer = setTimeout(() => this.wake(), Math.min(...waiting) + 1);
    return true;
  }

  /** Asked of the store itself: the mirror may be behind, and no compare would notice an instance that is new. */
  async #hasInstances(path: string): Promise<boolean> {
    const prefix = `${this.#mirrors.presence.prefix}${parsePath(path)?.id}/`;
    return (await this.#options.store.range(prefix)).entries.some(({ value }) => {
      const presence = readPresence(parseObject(value));
      return presence === null || presence.host !== null;
    });
  }

  /** If everything is still as it was seen. */
  async #commit(edits: readonly Edit[]): Promise<boolean> {
    const compare: Compare[] = [];
    const writes: Write[] = [];
    const done: (Edit & { before: Edit['value'] })[] = [];
    for (const { area, path, value, lease } of edits) {
      const mirror = this.#mirrors[area];
      const key = mirror.prefix + path;
      const seen = mirror.entries.get(path);
      compare.push({ key, revision: seen?.revision ?? 0 });
      const next = value === null ? null : keepUnknown(seen?.value ?? null, value);
      done.push({ area, path, value: next, lease, before: seen?.value ?? null });
      if (next === null) writes.push({ remove: key });
      else writes.push({ put: key, value: encode(next), ...(lease !== null && { lease }) });
    }
    const revision = await this.#options.store.commit({ compare, writes });
    if (revision === null) return false;
    for (const edit of done) {
      this.#mirrors[edit.area].wrote(edit.path, edit.value, edit.lease, revision);
      const line = told(edit, edit.before);
      if (line !== null) this.#options.print(line);
    }
    return true;
  }

  /** The watch will tell what was written meanwhile; where it does not, everything is read again. */
  async #defeated(): Promise<void> {
    await sleep(Math.min(AGAIN_MS, 10 * ++this.#defeats));
    if (this.#defeats % STALE_AFTER === 0)
      await Promise.all(Object.values(this.#mirrors).map((mirror) => mirror.load()));
    this.wake();
  }

  #refuseDisplaced({ machine, presence, mine }: View): void {
    for (const { value, lease } of presence.values()) {
      if (lease === null || mine.has(lease) || readPresence(value)?.machine !== machine) continue;
      throw new ClusterError('registrator-displaced', 'another registrator of this machine has taken over', {
        hint: 'one is enough: systemctl status registrator.service shows who else runs here',
      });
    }
  }
}

/** As few transactions as possible; a group is never torn apart. */
function packed(groups: readonly (readonly Edit[])[]): Edit[][] {
  const out: Edit[][] = [];
  for (const group of groups)
    for (let at = 0; at < group.length; at += MOST_EDITS) {
      const part = group.slice(at, at + MOST_EDITS);
      const last = out.at(-1);
      if (last !== undefined && last.length + part.length <= MOST_EDITS) last.push(...part);
      else out.push(part);
    }
  return out;
}
