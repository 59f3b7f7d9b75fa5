import type { PoolServer, Serving } from './model.ts';

/** The whole configuration: the structure with its servers filled in. */
export function renderConfig({ structure, pools }: Serving): string {
  return structure.replace(/^( *)#servers (.+)$/gm, (_line, indent: string, name: string) =>
    [...(pools.get(name) ?? [])].map(([id, server]) => `${indent}${serverLine(id, server)}`).join('\n'),
  );
}

/** `server NAME ADDRESS:PORT weight N KEYWORDS`. */
export function serverLine(name: string, { address, port, weight, keywords }: PoolServer): string {
  const host = address.includes(':') ? `[${address}]` : address;
  return `server ${name} ${host}:${port} weight ${weight}${keywords === '' ? '' : ` ${keywords}`}`;
}
