import type { PoolServer, Serving } from '../serving.ts';
import { type RunPaths, readServing } from './files.ts';
import { type LiveNames, serverKey, withoutAlias } from './runtime.ts';
import { ask } from './socket.ts';

/** A HAProxy that an earlier gateway process left running. */
export interface Adopted extends LiveNames {
  readonly serving: Serving;
}

/**
 * What such a HAProxy serves: what that process recorded, if the running HAProxy's maps and servers agree with it. null
 * where that is not known.
 */
export async function adoptable(paths: RunPaths): Promise<Adopted | null> {
  const serving = await readServing(paths.serving);
  if (serving === null) return null;
  const maps = [...serving.maps.keys()];
  try {
    const [state = '', ...texts] = await ask(paths.admin, [
      'show servers state',
      ...maps.map((map) => `show map ${map}`),
    ]);
    const live = readServers(state);
    const same =
      sameServers(live.pools, serving) &&
      maps.every((map, index) => sameMap(readMap(texts[index] ?? ''), serving.maps.get(map)));
    return same ? { serving, aliases: live.aliases, leaving: live.leaving } : null;
  } catch {
    return null;
  }
}

type LiveServer = Omit<PoolServer, 'keywords'>;
type LivePools = Map<string, Map<string, LiveServer>>;

interface Live extends LiveNames {
  readonly pools: LivePools;
}

/** Reads `show servers state`. Servers in maintenance are being removed. */
function readServers(text: string): Live {
  const pools: LivePools = new Map();
  const aliases = new Map<string, string>();
  const leaving = new Set<string>();
  for (const line of text.split('\n').slice(2)) {
    const cells = line.trim().split(' ');
    const [, pool, , as, address] = cells;
    if (pool === undefined || as === undefined || address === undefined) continue;
    const [admin, weight, port] = [Number(cells[6]), Number(cells[7]), Number(cells[18])];
    if ((admin & 1) !== 0) {
      leaving.add(serverKey(pool, as));
      continue;
    }
    const name = withoutAlias(as);
    if (name !== as) aliases.set(serverKey(pool, name), as);
    const servers = pools.get(pool) ?? new Map<string, LiveServer>();
    pools.set(pool, servers.set(name, { address, port, weight }));
  }
  return { pools, aliases, leaving };
}

function sameServers(live: LivePools, { pools }: Serving): boolean {
  for (const [pool, servers] of pools) {
    const running = live.get(pool) ?? new Map<string, LiveServer>();
    if (running.size !== servers.size) return false;
    for (const [name, { address, port, weight }] of servers) {
      const found = running.get(name);
      if (found === undefined || found.port !== port || found.weight !== weight) return false;
      // HAProxy resolved a host name when it loaded the configuration.
      if (found.address !== address && /^[\d.]+$|:/.test(address)) return false;
    }
  }
  return true;
}

/** Reads `show map`: a pointer, the key and the value on each line. */
function readMap(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('0x'))
    .map((line) => line.slice(line.indexOf(' ') + 1).trim());
}

function sameMap(live: readonly string[], map: ReadonlyMap<string, string> | undefined): boolean {
  if (map === undefined || live.length !== map.size) return false;
  const wanted = new Set([...map].map(([key, value]) => `${key} ${value}`));
  return live.every((line) => wanted.has(line));
}
