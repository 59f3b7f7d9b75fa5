import { inBatches } from '../store/limits.ts';
import type { Entry, Store, Write } from '../store/port.ts';
import { parseUnitName } from '../unit/index.ts';
import type { Author } from './author.ts';
import { below } from './keys.ts';
import type { RegistryChange, RegistryState } from './model.ts';

/** How many texts of one file are kept. */
const KEPT = 10;
const DIGITS = 12;

/** The text that a unit file had from some moment on. */
export interface FileVersion extends Author {
  readonly v: 1;
  /** Of the template for its instances, else of the unit. */
  readonly file: string;
  readonly hash: string;
  readonly text: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** The first units that got it, as many as are worth naming. */
  readonly units: readonly string[];
  /** Of the checkout that the file came from, where that had no other changes to the file. */
  readonly commit?: string;
}

export interface VersionStamp {
  readonly author: Author;
  readonly at: Date;
  /** Commits by hash of the file. */
  readonly commits?: ReadonlyMap<string, string>;
}

const NAMED = 20;

/** The file that a unit's text comes from. */
export function fileOf(unit: string): string {
  return parseUnitName(unit).template ?? unit;
}

/**
 * The versions that a change brings: a text that no unit of the same file had before. Another instance of a template
 * with the template's text is none.
 */
export function versionsIn(state: RegistryState, change: RegistryChange, stamp: VersionStamp): FileVersion[] {
  const found = new Map<string, { file: string; hash: string; units: string[] }>();
  for (const [name, unit] of change.units ?? []) {
    if (unit === null || state.units.get(name)?.hash === unit.hash) continue;
    const file = fileOf(name);
    const key = `${file}\0${unit.hash}`;
    const version = found.get(key) ?? { file, hash: unit.hash, units: [] };
    version.units.push(name);
    found.set(key, version);
  }
  if (found.size === 0) return [];
  for (const unit of state.units.values())
    if ([...found.values()].some(({ hash }) => hash === unit.hash))
      found.delete(`${fileOf(unit.name)}\0${unit.hash}`);

  return [...found.values()].map(({ file, hash, units }) => {
    const commit = stamp.commits?.get(hash);
    return {
      v: 1,
      file,
      hash,
      text: change.files?.get(hash) ?? state.files.get(hash) ?? '',
      at: stamp.at.toISOString(),
      ...stamp.author,
      units: units.slice(0, NAMED),
      ...(commit !== undefined && { commit }),
    };
  });
}

/** The last texts of each unit file. */
export class HistoryRegistry {
  readonly #store: Store;
  readonly #prefix: string;

  constructor(store: Store, prefix: string) {
    this.#store = store;
    this.#prefix = below(prefix, 'history/');
  }

  /** Versions of this file, or of all files, newest first; values that cannot be read are left out. */
  async load(file?: string): Promise<FileVersion[]> {
    const { entries } = await this.#store.range(this.#of(file));
    return [...entries]
      .reverse()
      .flatMap(({ value }) => readVersion(value) ?? [])
      .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0));
  }

  /**
   * The writes that keep these versions, to go into the transaction that writes the units; `generation` is the
   * registry's then, which grows, so that keys are in order.
   */
  writesToKeep(versions: readonly FileVersion[], generation: number): (Write & { readonly put: string })[] {
    return versions.map((version) => ({
      put: `${this.#of(version.file)}${String(generation).padStart(DIGITS, '0')}-${version.hash.slice(0, 8)}`,
      value: JSON.stringify(version),
    }));
  }

  /** Removes all but the newest versions of these files. */
  async prune(files: Iterable<string>): Promise<void> {
    const gone: Entry[] = [];
    for (const file of files) gone.push(...(await this.#store.range(this.#of(file))).entries.slice(0, -KEPT));
    for (const batch of inBatches(gone))
      await this.#store.commit({ compare: [], writes: batch.map(({ key }) => ({ remove: key })) });
  }

  #of(file?: string): string {
    return file === undefined ? this.#prefix : `${this.#prefix}${file}/`;
  }
}

function readVersion(value: string): FileVersion | null {
  try {
    const version = JSON.parse(value) as FileVersion;
    const { file, hash, text, at, who, command } = version;
    const texts = [file, hash, text, at, who, command].every((one) => typeof one === 'string');
    const named = Array.isArray(version.units) && version.units.every((unit) => typeof unit === 'string');
    return version.v === 1 && texts && named ? version : null;
  } catch {
    return null;
  }
}
