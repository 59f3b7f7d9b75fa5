import type { Store, Write } from '../store/port.ts';
import { below } from './keys.ts';

/** One switch of a frontend, for `history` and `rollback`. */
export interface SwitchRecord {
  readonly v: 1;
  readonly frontend: string;
  readonly from: string | null;
  readonly to: string;
  /** user@computer. */
  readonly who: string;
  /** ISO 8601, UTC. */
  readonly when: string;
}

/** How many switches of one frontend are kept. */
const KEPT = 20;

/** Which backends each frontend was switched to. */
export class SwitchRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = below(prefix, 'switches/');
  }

  /** Switches of a frontend, newest first; values that cannot be read are left out. */
  async load(frontend: string): Promise<SwitchRecord[]> {
    const { entries } = await this.#store.range(this.#of(frontend));
    return entries.flatMap(({ value }) => readSwitch(value) ?? []).reverse();
  }

  /** Ids of the frontends that were ever switched, sorted. */
  async frontends(): Promise<string[]> {
    const { entries } = await this.#store.range(this.#prefix);
    const ids = entries.map(({ key }) => key.slice(this.#prefix.length).split('/')[0] ?? '');
    return [...new Set(ids)].sort();
  }

  /**
   * The writes that record a switch and remove the oldest ones, to go into the transaction that switches. The key is the
   * revision that the switch rests on: it grows, and no two switches of one frontend can succeed on the same.
   */
  async writesToRecord(record: SwitchRecord, revision: number): Promise<Write[]> {
    const prefix = this.#of(record.frontend);
    const { entries } = await this.#store.range(prefix);
    const old = entries.slice(0, Math.max(0, entries.length - (KEPT - 1)));
    const put = `${prefix}${String(revision).padStart(16, '0')}`;
    return [
      { put, value: JSON.stringify(record) },
      ...old.filter(({ key }) => key !== put).map(({ key }) => ({ remove: key })),
    ];
  }

  /** The writes that remove a frontend's switches, to go into the transaction that removes it. */
  async writesToForget(frontend: string): Promise<Write[]> {
    const { entries } = await this.#store.range(this.#of(frontend));
    return entries.slice(0, KEPT + 1).map(({ key }) => ({ remove: key }));
  }

  #of(frontend: string): string {
    return `${this.#prefix}${frontend}/`;
  }
}

function readSwitch(value: string): SwitchRecord | null {
  try {
    const record = JSON.parse(value) as SwitchRecord;
    const valid =
      record.v === 1 &&
      typeof record.frontend === 'string' &&
      typeof record.to === 'string' &&
      typeof record.who === 'string' &&
      typeof record.when === 'string' &&
      (record.from === null || typeof record.from === 'string');
    return valid ? record : null;
  } catch {
    return null;
  }
}
