import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A Unix socket's path has at most 104 bytes on some systems, and ssh first makes one that is 17 bytes longer. */
const LONGEST_DIRECTORY = 70;

const places = new Set<string>();

/** A directory of our own for the sockets and logs of one connection, mode 0700, gone at the latest with this process. */
export function makePlace(): string {
  const bases = [process.env.XDG_RUNTIME_DIR, tmpdir(), '/tmp'].filter(
    (base) => base !== undefined && base !== '' && Buffer.byteLength(base) <= LONGEST_DIRECTORY,
  );
  let failure: unknown;
  for (const base of bases) {
    try {
      const directory = mkdtempSync(join(base!, 'cluster-ssh-'));
      if (places.size === 0) process.on('exit', removeAll);
      places.add(directory);
      return directory;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/** Removes a place that is no longer used. */
export function removePlace(directory: string): void {
  if (!places.delete(directory)) return;
  rmSync(directory, { recursive: true, force: true });
  if (places.size === 0) process.off('exit', removeAll);
}

function removeAll(): void {
  for (const directory of [...places]) removePlace(directory);
}
