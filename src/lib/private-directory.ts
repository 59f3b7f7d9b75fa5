import { randomBytes } from 'node:crypto';
import { chmod, lstat, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ClusterError } from './error.ts';

/**
 * Makes a directory that only its owner may enter, or makes an existing one so. A symbolic link is followed only when
 * nobody else could have put it there.
 * @throws `directory-foreign` where it belongs to another user, or where others could put another one in its place; the
 * file system's own errors.
 */
export async function makePrivate(directory: string): Promise<void> {
  await refuseOthersPath(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const me = process.getuid?.();
  if (me === undefined) return;

  const link = await lstat(directory);
  const found = link.isSymbolicLink() ? await stat(directory) : link;
  const owner = [link.uid, found.uid].find((uid) => uid !== me);
  if (owner !== undefined) throw foreign(directory, `${directory} belongs to another user (uid ${owner})`);
  await refuseOthersPath(await realpath(directory));
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700);
}

/** `makePrivate` whose errors a person can act on. @throws `directory-foreign`, `directory-unwritable`. */
export async function needPrivate(directory: string): Promise<void> {
  try {
    await makePrivate(directory);
  } catch (cause) {
    if (cause instanceof ClusterError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new ClusterError('directory-unwritable', `cannot use ${directory}: ${code ?? message}`, {
      file: directory,
      hint: 'check whose it is and whether the disk is full, or choose another, such as with --data-dir',
      cause,
    });
  }
}

/**
 * Refuses a path that another user could exchange: one that leads through a directory where everybody may write, unless
 * it is sticky (like /tmp) and what lies in it there is ours or root's. What does not exist yet is nobody's.
 * @throws `directory-foreign`
 */
export async function refuseOthersPath(path: string): Promise<void> {
  const me = process.getuid?.();
  if (me === undefined) return;
  for (let at = resolve(path), above = dirname(at); at !== above; at = above, above = dirname(at)) {
    const around = await stat(above).catch(() => null);
    if (around === null || (around.mode & 0o002) === 0) continue;
    if ((around.mode & 0o1000) === 0)
      throw foreign(path, `${path} is not safe: everybody may rename what is in ${above}`);
    const owner = (await lstat(at).catch(() => null))?.uid;
    if (owner !== undefined && owner !== me && owner !== 0)
      throw foreign(path, `${at} belongs to another user (uid ${owner})`);
  }
}

function foreign(file: string, message: string): ClusterError {
  return new ClusterError('directory-foreign', message, {
    file,
    hint: 'choose a directory of your own, or give it to yourself with chown',
  });
}

/**
 * Writes a file that only its owner may read, whatever lay there before and whatever a killed run left: readers see the
 * old file or the new one. A symbolic link is replaced, not followed. @throws the file system's own errors.
 */
export async function writePrivate(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomBytes(6).toString('hex')}.new`;
  try {
    await writeFile(aside, text, { mode: 0o600, flag: 'wx' });
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
}

/** Takes everybody else's permissions from a file that may have been there before; one that is not there is left. */
export async function makeFilePrivate(file: string): Promise<void> {
  if (process.getuid === undefined) return;
  const found = await lstat(file).catch(() => null);
  if (found?.isFile() && (found.mode & 0o077) !== 0) await chmod(file, 0o600);
}
