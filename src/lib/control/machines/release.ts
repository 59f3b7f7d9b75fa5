import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';
import { ClusterError } from '../../error.ts';
import { firstFile } from '../../machine/files/tar.ts';

/** A release as scripts/package.mjs makes it, read and checked. */
export interface Release {
  readonly file: string;
  readonly version: string;
  /** As Node names it: x64, arm64. */
  readonly arch: string;
  /** sha256 of its content, hex. */
  readonly hash: string;
  /** The tar.gz itself. */
  readonly archive: Uint8Array;
}

/** Enough of an archive to hold its first file. */
const HEAD = 65_536;

/** What `uname -m` calls the architectures that releases are made for. */
export const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'x64'],
  ['aarch64', 'arm64'],
]);

/** Reads a release and checks it against the `.sha256` beside it, where there is one. @throws `bad-release`. */
export async function readRelease(file: string): Promise<Release> {
  const bad = (why: string, cause?: unknown): ClusterError =>
    new ClusterError('bad-release', `${file} is not a release: ${why}`, {
      file,
      hint: 'npm run package makes one in dist/release',
      ...(cause === undefined ? {} : { cause }),
    });
  const archive = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw bad(cause.code ?? String(cause), cause);
  });
  const wanted = await readFile(`${file}.sha256`, 'utf8').catch(() => null);
  if (wanted !== null && !wanted.startsWith(createHash('sha256').update(archive).digest('hex')))
    throw bad(`it does not match ${basename(file)}.sha256`);
  const facts = await releaseFacts(archive);
  if (facts === null) throw bad('it has no RELEASE in it');
  return { file, archive, ...facts };
}

/** What the RELEASE of an archive, its first file, says; null where it is not a release. */
export async function releaseFacts(
  archive: Uint8Array,
): Promise<Pick<Release, 'version' | 'arch' | 'hash'> | null> {
  const first = await firstFile(beginningOf(archive));
  if (first === null || !/^[^/]+\/RELEASE$/.test(first.name)) return null;
  const value = (key: string): string => new RegExp(`^${key} (\\S+)$`, 'm').exec(first.text)?.[1] ?? '';
  const [version, arch, hash] = [value('version'), value('arch'), value('hash')];
  return /^[0-9a-f]{64}$/.test(hash) && version !== '' && arch !== '' ? { version, arch, hash } : null;
}

/** The beginning of the tar in a tar.gz; empty where it is none. */
function beginningOf(archive: Uint8Array): Uint8Array {
  try {
    return gunzipSync(archive.subarray(0, HEAD), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    return new Uint8Array();
  }
}

/** The newest release for an architecture in a folder. @throws `no-release`. */
export async function newestRelease(folder: string, arch: string): Promise<Release> {
  const names = await readdir(folder).catch(() => []);
  const files = await Promise.all(
    names
      .filter((name) => name.startsWith('cluster-') && name.endsWith(`-linux-${arch}.tar.gz`))
      .map(async (name) => ({ file: join(folder, name), time: (await stat(join(folder, name))).mtimeMs })),
  );
  const newest = files.sort((one, other) => other.time - one.time)[0];
  if (newest !== undefined) return readRelease(newest.file);
  throw new ClusterError('no-release', `there is no release for linux-${arch} in ${folder}`, {
    hint:
      arch === process.arch
        ? 'in a clone: npm run package; elsewhere name one with --release'
        : `in a clone: npm run package -- --arch ${arch} --node FILE; elsewhere name one with --release`,
  });
}
