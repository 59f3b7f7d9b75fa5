import { chmod, lstat, mkdir, stat } from 'node:fs/promises';
import { ClusterError } from './error.ts';

/**
 * Makes a directory that only its owner may enter, or makes an existing one so. A symbolic link is followed only when
 * nobody else could have put it there.
 * @throws `directory-foreign` where it belongs to another user; the file system's own errors.
 */
export async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const me = process.getuid?.();
  if (me === undefined) return;

  const link = await lstat(directory);
  const found = link.isSymbolicLink() ? await stat(directory) : link;
  const owner = [link.uid, found.uid].find((uid) => uid !== me);
  if (owner !== undefined)
    throw new ClusterError('directory-foreign', `${directory} belongs to another user (uid ${owner})`, {
      file: directory,
      hint: 'choose a directory of your own, or give it to yourself with chown',
    });
  if ((found.mode & 0o077) !== 0) await chmod(directory, 0o700);
}

/** Takes everybody else's permissions from a file that may have been there before; one that is not there is left. */
export async function makeFilePrivate(file: string): Promise<void> {
  if (process.getuid === undefined) return;
  const found = await lstat(file).catch(() => null);
  if (found?.isFile() && (found.mode & 0o077) !== 0) await chmod(file, 0o600);
}
