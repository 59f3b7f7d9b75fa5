import { createHash } from 'node:crypto';
import { lstat, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineTarget, SshOptions } from '../port.ts';
import { targetKey } from './wire.ts';

/** The kernel's limit for a socket's path is 108 bytes, elsewhere 104. */
const LONGEST_PATH = 100;

/** A holder's socket, and the file whose time says when a command last made connections itself. */
export interface HolderFiles {
  readonly socket: string;
  readonly marker: string;
}

/**
 * The files for connections that are made with these options by this version, in a directory of our own; other options
 * make other connections. null where no holder is possible: no user ids, or a path that is too long for a socket.
 */
export function holderFiles(directory: string, ssh: SshOptions, version: string): HolderFiles | null {
  if (process.getuid === undefined) return null;
  const { SSH_AUTH_SOCK, HOME } = process.env;
  const id = createHash('sha256')
    .update(JSON.stringify([version, ssh, SSH_AUTH_SOCK, HOME]))
    .digest('hex')
    .slice(0, 10);
  const socket = join(directory, `${id}.sock`);
  return Buffer.byteLength(socket) > LONGEST_PATH ? null : { socket, marker: join(directory, `${id}.used`) };
}

/** The file whose time says when this machine gave no answer. */
export function awayMark(directory: string, target: MachineTarget): string {
  const id = createHash('sha256').update(targetKey(target)).digest('hex').slice(0, 10);
  return join(directory, `${id}.away`);
}

/** Whether the directory exists and nobody else can create or open a socket in it. */
export async function isPrivate(directory: string): Promise<boolean> {
  const found = await lstat(directory).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o077) === 0;
}

/** Records a use; true where the one before was less than `withinMs` ago. */
export async function noteUse(marker: string, withinMs: number): Promise<boolean> {
  const last = await lstat(marker).catch(() => null);
  const now = new Date();
  if (last === null) await writeFile(marker, '', { mode: 0o600 });
  else await utimes(marker, now, now);
  // A mark from the future was made before somebody set the clock: it tells nothing.
  const agoMs = last === null ? null : now.getTime() - last.mtimeMs;
  return agoMs !== null && agoMs > -withinMs && agoMs < withinMs;
}

/** The sockets of all holders, whatever options they were started with. */
export async function holderSockets(directory: string): Promise<string[]> {
  if (!(await isPrivate(directory))) return [];
  const names = await readdir(directory);
  return names.filter((name) => name.endsWith('.sock')).map((name) => join(directory, name));
}
