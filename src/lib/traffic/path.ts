import { ClusterError } from '../error.ts';

/** What a key below the prefix holds. */
export type TrafficPath =
  | { readonly kind: 'host' | 'listener' | 'backend' | 'frontend'; readonly id: string }
  | { readonly kind: 'server' | 'middleware'; readonly parent: string; readonly id: string };

/** The key of an object, below the prefix; vulcand's schema. */
export function pathOf(object: TrafficPath): string {
  switch (object.kind) {
    case 'host':
      return `hosts/${object.id}/host`;
    case 'listener':
      return `listeners/${object.id}`;
    case 'backend':
      return `backends/${object.id}/backend`;
    case 'frontend':
      return `frontends/${object.id}/frontend`;
    case 'server':
      return `backends/${object.parent}/servers/${object.id}`;
    case 'middleware':
      return `frontends/${object.parent}/middlewares/${object.id}`;
  }
}

const SHAPES: readonly (readonly [RegExp, (found: RegExpExecArray) => TrafficPath])[] = [
  [/^hosts\/([^/]+)\/host$/, ([, id = '']) => ({ kind: 'host', id })],
  [/^listeners\/([^/]+)$/, ([, id = '']) => ({ kind: 'listener', id })],
  [/^backends\/([^/]+)\/backend$/, ([, id = '']) => ({ kind: 'backend', id })],
  [/^frontends\/([^/]+)\/frontend$/, ([, id = '']) => ({ kind: 'frontend', id })],
  [/^backends\/([^/]+)\/servers\/([^/]+)$/, ([, parent = '', id = '']) => ({ kind: 'server', parent, id })],
  [
    /^frontends\/([^/]+)\/middlewares\/([^/]+)$/,
    ([, parent = '', id = '']) => ({ kind: 'middleware', parent, id }),
  ],
];

/** What a path holds; null for a key that is none of vulcand's. */
export function parsePath(path: string): TrafficPath | null {
  for (const [shape, read] of SHAPES) {
    const found = shape.exec(path);
    if (found !== null) return read(found);
  }
  return null;
}

/** @throws `bad-id` for what cannot be a part of a key: empty, with a slash, with control characters. */
export function checkId(what: string, id: string): void {
  if (id !== '' && !/[/\p{Cc}]/u.test(id) && Buffer.byteLength(id) <= 255) return;
  const shown = JSON.stringify(id.length > 40 ? `${id.slice(0, 40)}...` : id);
  throw new ClusterError('bad-id', `${shown} is not a ${what}`, {
    hint: 'letters, digits and .-_@: up to 255 bytes; no slash',
  });
}
