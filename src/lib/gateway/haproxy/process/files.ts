import { access, chmod, chown, constants, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ClusterError } from '../../../error.ts';
import { writeWhole } from '../../write-whole.ts';
import type { Serving } from '../serving.ts';

/** Files and sockets that HAProxy and the gateway process share. */
export interface RunPaths {
  readonly directory: string;
  readonly config: string;
  /** The worker's command line; `translate` puts it into the configuration. */
  readonly admin: string;
  /** The master's command line. */
  readonly master: string;
  /** What runs, for the next gateway process. */
  readonly serving: string;
  readonly log: string;
  /** All that a worker with a user of its own sees of the file system; it may write nothing there. */
  readonly jail: string;
  /** Takes the request log. */
  readonly requests: string;
}

export function runPaths(directory: string): RunPaths {
  return {
    directory,
    config: join(directory, 'haproxy.cfg'),
    admin: join(directory, 'admin.sock'),
    master: join(directory, 'master.sock'),
    serving: join(directory, 'serving.json'),
    log: join(directory, 'haproxy.log'),
    jail: join(directory, 'jail'),
    requests: join(directory, 'jail', REQUESTS),
  };
}

/** The socket for the request log, as a worker sees it that sees nothing but the jail. */
const REQUESTS = 'requests.sock';
export const JAILED_REQUESTS = `/${REQUESTS}`;

/** A socket's path has at most 107 characters, and HAProxy adds some of its own while it opens one. */
const LONGEST_SOCKET = 90;

/**
 * Makes the run directory, which only its owner may enter, and the jail in it, which the worker's group may.
 * @param gid null = the worker runs as this process does. @throws ClusterError `bad-run-directory`.
 */
export async function makeRunDirectory(
  { directory, jail, requests }: RunPaths,
  gid: number | null,
): Promise<void> {
  const refused = (why: string): ClusterError =>
    new ClusterError('bad-run-directory', `cannot use the run directory ${directory}: ${why}`, {
      hint: '--run-dir names another one; the gateway must be able to write there',
    });
  if (Buffer.byteLength(requests) > LONGEST_SOCKET) throw refused('its path is too long for a socket');
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.W_OK | constants.X_OK);
    await mkdir(jail, { recursive: true, mode: 0o700 });
    if (gid !== null) await chown(jail, process.getuid?.() ?? 0, gid);
    await chmod(jail, gid === null ? 0o700 : 0o750);
  } catch (error) {
    throw refused(error instanceof Error ? error.message : String(error));
  }
}

/** Lines of a map file as HAProxy reads them. */
export function mapText(map: ReadonlyMap<string, string>): string {
  return [...map].map(([key, value]) => `${key} ${value}\n`).join('');
}

/** Writes maps, certificates and answers; those that `before` has already are left as they are. */
export async function writeParts(directory: string, serving: Serving, before: Serving | null): Promise<void> {
  const parts: [string, string][] = [];
  for (const [name, map] of serving.maps)
    if (before?.maps.get(name) !== map) parts.push([name, mapText(map)]);
  for (const [name, text] of serving.files) if (before?.files.get(name) !== text) parts.push([name, text]);
  for (const folder of new Set(parts.map(([name]) => dirname(join(directory, name)))))
    await mkdir(folder, { recursive: true, mode: 0o700 });
  await Promise.all(parts.map(([name, text]) => writeWhole(join(directory, name), text)));
}

const asMap = <Value>(entries: readonly [string, Value][]): ReadonlyMap<string, Value> => new Map(entries);

/** What runs, as text; notes come with the next translation. */
export function encodeServing({ structure, pools, maps, files }: Serving): string {
  const nested = <Value>(map: ReadonlyMap<string, ReadonlyMap<string, Value>>) =>
    [...map].map(([name, inner]) => [name, [...inner]]);
  return JSON.stringify({ structure, pools: nested(pools), maps: nested(maps), files: [...files] });
}

/** null where there is none, or none that reads well. */
export async function readServing(path: string): Promise<Serving | null> {
  try {
    const { structure, pools, maps, files } = JSON.parse(await readFile(path, 'utf8'));
    if (typeof structure !== 'string') return null;
    const nested = <Value>(list: [string, [string, Value][]][]) =>
      asMap(list.map(([name, inner]): [string, ReadonlyMap<string, Value>] => [name, asMap(inner)]));
    return {
      structure,
      pools: nested(pools),
      maps: nested(maps),
      files: asMap(files),
      leftOut: [],
      notes: [],
    };
  } catch {
    return null;
  }
}
