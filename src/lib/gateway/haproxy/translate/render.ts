import type { PoolServer, Serving } from '../serving.ts';

/** The whole configuration: the structure with its servers filled in. */
export function renderConfig({ structure, pools }: Serving): string {
  return structure.replace(/^( *)#servers (.+)$/gm, (_line, indent: string, name: string) =>
    [...(pools.get(name) ?? [])]
      .map(([id, server]) => `${indent}server ${id} ${serverWords(server)}`)
      .join('\n'),
  );
}

/** `ADDRESS:PORT weight N KEYWORDS`: what follows a server's name, in the configuration and in `add server`. */
export function serverWords({ address, port, weight, keywords }: PoolServer): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `${host}:${port} weight ${weight}${keywords === '' ? '' : ` ${keywords}`}`;
}
