import { isIP } from 'node:net';
import type { PoolServer, Serving } from '../serving.ts';
import { addedServerWords } from '../translate/render.ts';

/** One change that HAProxy takes while it runs. */
export type RuntimeCommand =
  | {
      readonly kind: 'map-add' | 'map-set';
      readonly map: string;
      readonly key: string;
      readonly value: string;
    }
  | { readonly kind: 'map-del'; readonly map: string; readonly key: string }
  /** `name` is the server's in `Serving`, `as` its name in HAProxy for as long as that runs. */
  | {
      readonly kind: 'server-add';
      readonly pool: string;
      readonly name: string;
      readonly as: string;
      readonly server: PoolServer;
    }
  | { readonly kind: 'server-weight'; readonly pool: string; readonly as: string; readonly weight: number }
  /** No new requests; running ones finish. It is deleted when it is idle, unless it is kept to come back. */
  | {
      readonly kind: 'server-leave';
      readonly pool: string;
      readonly as: string;
      readonly kept: PoolServer | null;
    }
  | { readonly kind: 'server-return'; readonly pool: string; readonly as: string; readonly weight: number };

/** What the running HAProxy calls its servers. */
export interface LiveNames {
  /** `POOL/NAME` -> the name in HAProxy, where that is another one. */
  readonly aliases: ReadonlyMap<string, string>;
  /** `POOL/NAME` in HAProxy of servers that are being removed. */
  readonly leaving: ReadonlySet<string>;
  /** `POOL/NAME` in HAProxy of servers that have left and may come back; only a reload could add them again. */
  readonly kept?: ReadonlyMap<string, PoolServer>;
}

const NO_NAMES: LiveNames = { aliases: new Map(), leaving: new Set() };

export const serverKey = (pool: string, name: string): string => `${pool}/${name}`;

/**
 * The commands that bring a HAProxy from `from` to `to`, or 'reload'. Their order (add servers, point maps at them,
 * remove servers) makes sure that at no moment less is served than before or after.
 *
 * A server that moves to another address is added under another name, and the old one is removed: HAProxy would go on
 * using its open connections to the old address.
 */
export function runtimeDiff(
  from: Serving,
  to: Serving,
  live: LiveNames = NO_NAMES,
): readonly RuntimeCommand[] | 'reload' {
  if (from.structure !== to.structure || !sameText(from.files, to.files)) return 'reload';
  if (!sameKeys(from.maps, to.maps) || !sameKeys(from.pools, to.pools)) return 'reload';
  return commandsFor(from, to, live) ?? 'reload';
}

/**
 * Brings a worker of an earlier configuration as close to a newer state as it can get: connections that it still holds
 * may bring more requests.
 */
export function followingCommands(from: Serving, to: Serving, live: LiveNames): readonly RuntimeCommand[] {
  const known = (pool: string): boolean => from.pools.has(pool);
  const wanted: Serving = {
    ...to,
    pools: new Map([...to.pools].filter(([pool]) => known(pool))),
    // For a backend that it does not have, what it served before is better than nothing.
    maps: new Map(
      [...to.maps].map(([name, map]) => {
        const before = from.maps.get(name);
        const fitting = [...map].flatMap(([key, value]): [string, string][] => {
          if (!to.pools.has(value) || known(value)) return [[key, value]];
          const old = before?.get(key);
          return old === undefined ? [] : [[key, old]];
        });
        return [name, new Map(fitting)];
      }),
    ),
  };
  return commandsFor(from, wanted, live) ?? [];
}

/** null where a reload is needed. */
function commandsFor(from: Serving, to: Serving, live: LiveNames): readonly RuntimeCommand[] | null {
  const come: RuntimeCommand[] = [];
  const go: RuntimeCommand[] = [];
  for (const [pool, wanted] of to.pools) {
    const present = from.pools.get(pool);
    if (present === undefined || present === wanted) continue;
    const used = (name: string): string => live.aliases.get(serverKey(pool, name)) ?? name;
    for (const [name, server] of wanted) {
      const old = present.get(name);
      if (old !== undefined && sameButWeight(old, server)) {
        if (old.weight !== server.weight)
          come.push({ kind: 'server-weight', pool, as: used(name), weight: server.weight });
        continue;
      }
      if (needsReload(server)) {
        const before = live.kept?.get(serverKey(pool, name));
        if (old !== undefined || before === undefined || !sameButWeight(before, server)) return null;
        come.push({ kind: 'server-return', pool, as: name, weight: server.weight });
        continue;
      }
      const taken = old === undefined ? null : used(name);
      come.push({ kind: 'server-add', pool, name, as: freeName(pool, name, taken, live), server });
      if (taken !== null) go.push({ kind: 'server-leave', pool, as: taken, kept: null });
    }
    for (const [name, server] of present)
      if (!wanted.has(name))
        go.push({ kind: 'server-leave', pool, as: used(name), kept: needsReload(server) ? server : null });
  }
  return [...come, ...mapCommands(from, to), ...go];
}

/** The end of an alias: no other server's name has a colon before a lower-case letter. */
const ALIAS = /:a\d+$/;

/** The name in `Serving` of a server, from its name in HAProxy. */
export const withoutAlias = (name: string): string => name.replace(ALIAS, '');

function freeName(pool: string, name: string, taken: string | null, { leaving }: LiveNames): string {
  for (let turn = 1; ; turn++) {
    const candidate = turn === 1 ? name : `${name}:a${turn}`;
    if (candidate !== taken && !leaving.has(serverKey(pool, candidate))) return candidate;
  }
}

function mapCommands(from: Serving, to: Serving): RuntimeCommand[] {
  const put: RuntimeCommand[] = [];
  const del: RuntimeCommand[] = [];
  for (const [map, wanted] of to.maps) {
    const present = from.maps.get(map);
    if (present === undefined || present === wanted) continue;
    for (const [key, value] of wanted) {
      const old = present.get(key);
      if (old === undefined) put.push({ kind: 'map-add', map, key, value });
      else if (old !== value) put.push({ kind: 'map-set', map, key, value });
    }
    for (const key of present.keys()) if (!wanted.has(key)) del.push({ kind: 'map-del', map, key });
  }
  return [...put, ...del];
}

/** The lines for HAProxy's command socket; a map has the name that the configuration gives it. */
export function commandLines(command: RuntimeCommand): string[] {
  switch (command.kind) {
    case 'map-add':
    case 'map-set':
      return [
        `${command.kind === 'map-add' ? 'add' : 'set'} map ${word(command.map)} ${word(command.key)} ${word(command.value)}`,
      ];
    case 'map-del':
      return [`del map ${word(command.map)} ${word(command.key)}`];
    case 'server-add': {
      const name = serverKey(command.pool, command.as);
      return [`add server ${name} ${addedServerWords(command.server)}`, `enable server ${name}`];
    }
    case 'server-weight':
      return [`set server ${serverKey(command.pool, command.as)} weight ${command.weight}`];
    case 'server-return': {
      const name = serverKey(command.pool, command.as);
      return [`set server ${name} weight ${command.weight}`, `set server ${name} state ready`];
    }
    case 'server-leave':
      return [`set server ${serverKey(command.pool, command.as)} state maint`];
  }
}

/** One word of a command, with blanks, separators and backslashes escaped. */
function word(text: string): string {
  return text.replace(/[\\ \t;]/g, '\\$&');
}

/** Whether HAProxy's answer to a command means success. */
export function isDone(answer: string): boolean {
  return /^(New server registered\.|Server deleted\.)?$/.test(answer.trim());
}

/**
 * Whether HAProxy 2.6 cannot add such a server while it runs: it resolves host names only when it loads its
 * configuration, `add server` takes no cookie, and a HTTP/2 connection of an added server carries one request only.
 */
function needsReload({ address, keywords }: PoolServer): boolean {
  return isIP(address) === 0 || /(^| )(cookie \S|proto h2|alpn h2)/.test(keywords);
}

function sameButWeight(a: PoolServer, b: PoolServer): boolean {
  return a === b || (a.address === b.address && a.port === b.port && a.keywords === b.keywords);
}

function sameText(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a === b || (a.size === b.size && [...a].every(([name, text]) => b.get(name) === text));
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  return a === b || (a.size === b.size && [...a.keys()].every((name) => b.has(name)));
}
