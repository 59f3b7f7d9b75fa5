import { chmod, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { ClusterError } from '../../../error.ts';

/** Unix sockets that a configuration listens on. */
export function boundSockets(structure: string): string[] {
  return [...structure.matchAll(/^\s*bind unix@(\S+)/gm)].map(([, path = '']) => path);
}

/**
 * Makes the directory of the sockets that are new, and looks at what stands in their places: HAProxy would replace
 * anything there. @param before null = nothing is known to listen.
 * @throws ClusterError `haproxy-reload` for a path that is taken, or a directory that others may write to.
 */
export async function checkSockets(structure: string, before: string | null): Promise<void> {
  const present = new Set(before === null ? [] : boundSockets(before));
  for (const path of boundSockets(structure)) {
    if (present.has(path)) continue;
    const refused = (why: string): ClusterError =>
      new ClusterError('haproxy-reload', `cannot listen on ${path}: ${why}`, {
        hint: `what was served before is still served; ls -la ${dirname(path)}`,
      });
    await makeDirectory(dirname(path), refused);
    const found = await lstat(path).catch(() => null);
    if (found === null) continue;
    if (!found.isSocket() || found.uid !== process.getuid?.())
      throw refused('exists, and is no socket of this gateway');
    if (await answers(path)) throw refused('another process listens there');
  }
}

/** Removes sockets that HAProxy left there and listens on no more. */
export async function removeUnused(directory: string, structure: string): Promise<void> {
  const used = new Set(boundSockets(structure));
  for (const name of await readdir(directory).catch(() => [])) {
    const path = join(directory, name);
    if (used.has(path)) continue;
    const found = await lstat(path).catch(() => null);
    if (found?.isSocket() && found.uid === process.getuid?.() && !(await answers(path)))
      await rm(path, { force: true });
  }
}

async function makeDirectory(directory: string, refused: (why: string) => ClusterError): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const found = await lstat(directory);
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0)
      throw refused(`${directory} is not a directory that only this gateway may write to`);
    await enterable(dirname(directory));
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

/** The run directory is closed to others, and clients must come through it. What is in it stays closed by itself. */
async function enterable(parent: string): Promise<void> {
  const found = await lstat(parent);
  if (found.uid === process.getuid?.() && (found.mode & 0o777) === 0o700) await chmod(parent, 0o711);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
