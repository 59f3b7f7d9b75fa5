import type { Source } from '../keep/index.ts';
import type {
  ServiceArea,
  ServiceChange,
  ServiceObjects,
  ServiceRegistry,
  ServiceWrite,
} from '../registry/index.ts';
import type { Stored } from '../traffic/index.ts';

/**
 * The objects of one area of the registry, kept up to date by a watch. Our own writes are put in as soon as they are
 * done, so that a decision made before the watch delivers them does not repeat them. As a source, its state is the
 * revision.
 */
export class LocalCopy implements Source<number> {
  readonly #registry: ServiceRegistry;
  readonly #area: ServiceArea;
  readonly #objects = new Map<string, Stored>();
  #stale = new AbortController();

  constructor(registry: ServiceRegistry, area: ServiceArea) {
    this.#registry = registry;
    this.#area = area;
  }

  /** By path. */
  get objects(): ReadonlyMap<string, Stored> {
    return this.#objects;
  }

  async load(): Promise<number> {
    this.#stale = new AbortController();
    const all = await this.#registry.load(this.#area);
    this.#replace(all);
    return all.revision;
  }

  async *watch(after: number, signal: AbortSignal): AsyncIterable<number> {
    const either = AbortSignal.any([signal, this.#stale.signal]);
    for await (const news of this.#registry.watch(this.#area, after, either)) {
      if ('objects' in news) {
        this.#replace(news);
        yield news.revision;
      } else {
        for (const change of news) this.#apply(change);
        yield news.at(-1)?.revision ?? after;
      }
    }
  }

  /** It seems to differ from the registry although the watch goes on: ends the watch, so that all is read again. */
  invalidate(): void {
    this.#stale.abort();
  }

  /** Our own write, which was done. */
  wrote({ path, value, lease, revision }: ServiceWrite): void {
    this.#apply({ path, stored: value === null ? null : { value, revision, lease }, revision });
  }

  #apply({ path, stored, revision }: ServiceChange): void {
    if ((this.#objects.get(path)?.revision ?? 0) > revision) return;
    if (stored === null) this.#objects.delete(path);
    else this.#objects.set(path, stored);
  }

  #replace({ objects }: ServiceObjects): void {
    this.#objects.clear();
    for (const [path, stored] of objects) this.#objects.set(path, stored);
  }
}
