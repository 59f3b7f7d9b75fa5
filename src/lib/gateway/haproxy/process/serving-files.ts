import { rm } from 'node:fs/promises';
import { writeWhole } from '../../write-whole.ts';
import type { Serving } from '../serving.ts';
import { encodeServing, makeRunDirectory, type RunPaths, writeParts } from './files.ts';

/** The files that HAProxy reads, and a record of what it serves for the next gateway process. */
export class ServingFiles {
  readonly #paths: RunPaths;
  /** The worker's group, which may enter the jail. */
  gid: number | null = null;
  readonly #render: (serving: Serving) => string;
  /** What the files are known to hold completely. */
  #saved: Serving | null = null;

  constructor(paths: RunPaths, render: (serving: Serving) => string) {
    this.#paths = paths;
    this.#render = render;
  }

  /** Writes what HAProxy reads. Until `seal`, no other process can know what it serves. */
  async open(serving: Serving): Promise<void> {
    const before = this.#saved;
    this.#saved = null;
    await rm(this.#paths.serving, { force: true });
    await this.#write(serving, before);
  }

  /** Records that HAProxy serves what was written. */
  async seal(serving: Serving): Promise<void> {
    await writeWhole(this.#paths.serving, encodeServing(serving));
    this.#saved = serving;
  }

  /** Writes what HAProxy reads, whatever the files hold. */
  async rewrite(serving: Serving): Promise<void> {
    this.#saved = null;
    await this.#write(serving, null);
  }

  /** Brings the files up to date after changes that only the running HAProxy has. */
  async save(serving: Serving | null): Promise<void> {
    if (serving === null || serving === this.#saved) return;
    await this.#write(serving, this.#saved);
    await this.seal(serving);
  }

  async #write(serving: Serving, before: Serving | null): Promise<void> {
    await makeRunDirectory(this.#paths, this.gid);
    await writeParts(this.#paths.directory, serving, before);
    await writeWhole(this.#paths.config, this.#render(serving));
  }
}
