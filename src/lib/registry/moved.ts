import { ClusterError, EXIT } from '../error.ts';
import type { Compare, Store } from '../store/port.ts';
import { MOVED_SOMEWHERE, type MovedTo, readMoved } from './identity.ts';
import { below } from './keys.ts';

const PATH = 'moved';

/** Where a registry is now, as a person is told. */
export function movedText({ endpoints, prefix }: MovedTo): string {
  const place = endpoints.length === 0 ? 'another place' : `${endpoints.join(',')} (${prefix})`;
  return `this registry was copied to ${place} and is not used any more`;
}

export function movedHint({ endpoints }: MovedTo): string {
  const there = endpoints.length === 0 ? '' : `CLUSTER_ENDPOINT=${endpoints.join(',')}; `;
  return `${there}cluster registry reopen makes this one count again`;
}

export function movedError(moved: MovedTo): ClusterError {
  return new ClusterError('registry-moved', `${movedText(moved)}: nothing was changed`, {
    hint: movedHint(moved),
    exit: EXIT.conflict,
  });
}

/** The mark of a registry that was copied to another place: with it, nothing below the same prefix is changed. */
export class MovedMark {
  readonly #store: Store;
  readonly #key: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#key = below(prefix, PATH);
  }

  /** For transactions: the registry is still here. */
  get isHere(): Compare {
    return { key: this.#key, revision: 0 };
  }

  /** null where the registry is here. A mark that cannot be read is one. */
  async read(): Promise<MovedTo | null> {
    const entry = await this.#store.get(this.#key);
    if (entry === null) return null;
    try {
      return readMoved(JSON.parse(entry.value));
    } catch {
      return MOVED_SOMEWHERE;
    }
  }

  /** @throws `registry-moved`. */
  async check(): Promise<void> {
    const moved = await this.read();
    if (moved !== null) throw movedError(moved);
  }

  /** @throws `registry-moved` where somebody else was faster. */
  async set(moved: MovedTo): Promise<void> {
    const writes = [{ put: this.#key, value: JSON.stringify(moved) }];
    if ((await this.#store.commit({ compare: [this.isHere], writes })) === null) await this.check();
  }

  async lift(): Promise<void> {
    await this.#store.commit({ compare: [], writes: [{ remove: this.#key }] });
  }
}
