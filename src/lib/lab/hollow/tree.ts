import { posix } from 'node:path';

interface FileEntry {
  readonly kind: 'file';
  readonly data: Buffer;
  readonly mode: number;
}
type Entry = FileEntry | { readonly kind: 'link'; readonly target: string } | { readonly kind: 'dir' };

/** What `lstat` returns for an entry of a hollow machine's file tree. */
export interface TreeStat {
  readonly kind: Entry['kind'];
  readonly size: number;
  readonly mode: number;
}

/** A file operation that a real kernel would refuse; `code` is the name of its errno. */
export class TreeError extends Error {
  readonly code: 'ENOENT' | 'ENOSPC';

  constructor(code: 'ENOENT' | 'ENOSPC', path: string) {
    super(`${path}: ${code === 'ENOENT' ? 'No such file or directory' : 'No space left on device'}`);
    this.code = code;
  }
}

/** The files of one hollow machine, in memory: a shared base below, the machine's own changes above. */
export class HollowTree {
  diskFull = false;
  readonly #base: ReadonlyMap<string, Entry>;
  readonly #own = new Map<string, Entry | null>();

  constructor(base: Readonly<Record<string, string>> | HollowTree = {}) {
    this.#base =
      base instanceof HollowTree
        ? (base.#own as ReadonlyMap<string, Entry>)
        : new Map(Object.entries(base).map(([path, text]) => [path, file(Buffer.from(text), 0o644)]));
  }

  /** Content of a file, symbolic links followed; null when there is none. */
  read(path: string): Buffer | null {
    let at = posix.normalize(path);
    for (let hops = 0; hops < 8; hops++) {
      const entry = this.#entry(at);
      if (entry?.kind === 'file') return entry.data;
      if (entry?.kind !== 'link') return null;
      at = posix.resolve(posix.dirname(at), entry.target);
    }
    return null;
  }

  /** Content of a file as text; null when there is none. */
  text(path: string): string | null {
    return this.read(path)?.toString('utf8') ?? null;
  }

  write(path: string, data: Buffer, mode = 0o644): void {
    if (this.diskFull) throw new TreeError('ENOSPC', path);
    this.#own.set(posix.normalize(path), file(data, mode));
  }

  link(path: string, target: string): void {
    if (this.diskFull) throw new TreeError('ENOSPC', path);
    this.#own.set(posix.normalize(path), { kind: 'link', target });
  }

  mkdir(path: string): void {
    if (this.diskFull) throw new TreeError('ENOSPC', path);
    if (!this.stat(path)) this.#own.set(posix.normalize(path), { kind: 'dir' });
  }

  /** Removes a file, link or empty directory; false when it was not there. */
  remove(path: string): boolean {
    const at = posix.normalize(path);
    if (!this.#entry(at)) return false;
    if (this.#base.has(at)) this.#own.set(at, null);
    else this.#own.delete(at);
    return true;
  }

  rename(from: string, to: string): void {
    const entry = this.#entry(posix.normalize(from));
    if (!entry) throw new TreeError('ENOENT', from);
    this.#own.set(posix.normalize(to), entry);
    this.remove(from);
  }

  readlink(path: string): string | null {
    const entry = this.#entry(posix.normalize(path));
    return entry?.kind === 'link' ? entry.target : null;
  }

  stat(path: string): TreeStat | null {
    const at = posix.normalize(path);
    const entry = this.#entry(at);
    if (entry?.kind === 'file') return { kind: 'file', size: entry.data.length, mode: entry.mode };
    if (entry?.kind === 'link') return { kind: 'link', size: entry.target.length, mode: 0o777 };
    if (entry || at === '/' || this.list(at).length > 0) return { kind: 'dir', size: 0, mode: 0o755 };
    return null;
  }

  /** Names directly inside a directory, sorted. */
  list(dir: string): string[] {
    const prefix = `${posix.normalize(dir).replace(/\/$/, '')}/`;
    const names = new Set<string>();
    const add = (path: string): void => {
      if (path.startsWith(prefix)) names.add(path.slice(prefix.length).split('/', 1)[0]!);
    };
    for (const path of this.#base.keys()) if (this.#own.get(path) !== null) add(path);
    for (const [path, entry] of this.#own) if (entry) add(path);
    return [...names].sort();
  }

  #entry(path: string): Entry | undefined {
    const own = this.#own.get(path);
    if (own !== undefined) return own ?? undefined;
    return this.#base.get(path);
  }
}

function file(data: Buffer, mode: number): FileEntry {
  return { kind: 'file', data, mode };
}
