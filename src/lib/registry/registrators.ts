import type { Store } from '../store/port.ts';
import { below } from './keys.ts';

/** A running registrator, as it describes itself; on its lease, so that it goes with its machine. */
export interface RegistratorRecord {
  readonly v: 1;
  /** machine-id */
  readonly machine: string;
  readonly hostname: string;
  /** How many instances it announces, healthy or not. */
  readonly announced: number;
  /** What containers ask for and do not get, one line each, as in its journal. */
  readonly problems: readonly string[];
}

/** The records of running registrators. */
export class RegistratorRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = below(prefix, 'registrators/');
  }

  /** All that run, by host name; values that cannot be read are left out. */
  async load(): Promise<RegistratorRecord[]> {
    const { entries } = await this.#store.range(this.#prefix);
    const records = entries.flatMap(({ value }) => readRegistrator(value) ?? []);
    return records.sort((a, b) => (a.hostname < b.hostname ? -1 : a.hostname > b.hostname ? 1 : 0));
  }

  /** @throws `lease-expired`. */
  async put(record: RegistratorRecord, lease: string): Promise<void> {
    const write = { put: this.#prefix + record.machine, value: JSON.stringify(record), lease };
    await this.#store.commit({ compare: [], writes: [write] });
  }
}

/** null for what is not a registrator's record. */
function readRegistrator(value: string): RegistratorRecord | null {
  try {
    const record = JSON.parse(value) as RegistratorRecord;
    const { v, machine, hostname, announced, problems } = record;
    if (v !== 1 || typeof machine !== 'string' || typeof hostname !== 'string') return null;
    if (!Number.isSafeInteger(announced) || !Array.isArray(problems)) return null;
    return problems.every((problem) => typeof problem === 'string') ? record : null;
  } catch {
    return null;
  }
}
