/**
 * An id of the registry as HAProxy takes it in the names of its proxies and servers: letters, digits, `-`, `_` and `.`
 * stay, every other byte of its UTF-8 becomes `:XX` (`demo@1` is `demo:401`).
 */
export function encodeName(id: string): string {
  if (/^[\w.-]+$/.test(id)) return id;
  return [...Buffer.from(id)].map((byte) => (isPlain(byte) ? String.fromCharCode(byte) : hex(byte))).join('');
}

/** The id that `encodeName` made the name from. */
export function decodeName(name: string): string {
  const bytes: number[] = [];
  for (const [unit] of name.matchAll(/:[0-9A-F]{2}|./gs))
    bytes.push(unit.length === 3 ? Number.parseInt(unit.slice(1), 16) : unit.charCodeAt(0));
  return Buffer.from(bytes).toString();
}

const isPlain = (byte: number): boolean => /[\w.-]/.test(String.fromCharCode(byte));
const hex = (byte: number): string => `:${byte.toString(16).toUpperCase().padStart(2, '0')}`;

/**
 * HAProxy's name for a backend with one way to retry: `profile` is its tag, '' the usual way. A tag begins with a
 * lower-case letter, so that no id can be mistaken for it.
 */
export function backendName(id: string, profile: string): string {
  return profile === '' ? encodeName(id) : `${encodeName(id)}:${profile}`;
}

/** The backend id and the tag of a name that `backendName` made. */
export function readBackendName(name: string): { readonly id: string; readonly profile: string } {
  const [, base = name, profile = ''] = /^(.*):([a-z][0-9a-z]*)$/.exec(name) ?? [];
  return { id: decodeName(base), profile };
}
