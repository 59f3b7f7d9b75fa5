import type { PoolServer, Serving } from '../serving.ts';

/** The whole configuration: the structure with its servers filled in. */
export function renderConfig({ structure, pools }: Serving): string {
  return structure.replace(/^( *)#servers (.+)$/gm, (_line, indent: string, name: string) =>
    [...(pools.get(name) ?? [])]
      .map(([id, server]) => `${indent}server ${id} ${serverWords(server)}`)
      .join('\n'),
  );
}

/**
 * What HAProxy gives a server that it reads in its configuration and, up to 2.8, not one that comes by `add server`:
 * without these such a server has a pool of no idle connections, so that every request opens one.
 */
const DEFAULTS: readonly (readonly [keyword: string, value: string])[] = [
  ['pool-max-conn', '-1'],
  ['pool-purge-delay', '5s'],
];

/** The words for `add server`: with the defaults that a server in the configuration gets unasked. */
export function addedServerWords(server: PoolServer): string {
  const given = new Set(server.keywords.split(' '));
  const missing = DEFAULTS.filter(([keyword]) => !given.has(keyword)).map((words) => words.join(' '));
  return [serverWords(server), ...missing].join(' ');
}

/** `ADDRESS:PORT weight N KEYWORDS`: what follows a server's name, in the configuration and in `add server`. */
export function serverWords({ address, port, weight, keywords }: PoolServer): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${port} weight ${weight}${keywords === '' ? '' : ` ${keywords}`}`;
}
