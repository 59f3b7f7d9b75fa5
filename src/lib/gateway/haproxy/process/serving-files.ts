import { rm } from 'node:fs/promises';
import type { Serving } from '../../model.ts';
import { encodeServing, makeRunDirectory, type RunPaths, writeParts, writeWhole } from './files.ts';

/** What HAProxy reads, and beside it what it serves, for the gateway process that finds it running. */
export class ServingFiles {
  readonly #paths: RunPaths;
  readonly #render: (serving: Serving) => string;
  /** What is known to stand there as a whole. */
  #saved: Serving | null = null;

  constructor(paths: RunPaths, render: (serving: Serving) => string) {
    this.#paths = paths;
    this.#render = render;
  }

  /** Writes what HAProxy reads; what it serves is unknown to others from now until `seal`. */
  async open(serving: Serving): Promise<void> {
    const before = this.#saved;
    this.#saved = null;
    await rm(this.#paths.serving, { force: true });
    await this.#write(serving, before);
  }

  /** HAProxy serves what was written. */
  async seal(serving: Serving): Promise<void> {
    await writeWhole(this.#paths.serving, encodeServing(serving));
    this.#saved = serving;
  }

  /** Writes what HAProxy reads, whatever stands there. */
  async rewrite(serving: Serving): Promise<void> {
    this.#saved = null;
    await this.#write(serving, null);
  }

  /** After changes that only the running HAProxy has. */
  async save(serving: Serving | null): Promise<void> {
    if (serving === null || serving === this.#saved) return;
    await this.#write(serving, this.#saved);
    await this.seal(serving);
  }

  async #write(serving: Serving, before: Serving | null): Promise<void> {
    await makeRunDirectory(this.#paths);
    await writeParts(this.#paths.directory, serving, before);
    await writeWhole(this.#paths.config, this.#render(serving));
  }
}
