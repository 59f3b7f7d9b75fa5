import { ClusterError } from '../error.ts';

const PLAIN = /^[0-9A-Za-z:_.]$/;

/** systemd-escape: any text as part of a unit name (`/` becomes `-`, other odd bytes `\xNN`). */
export function escapeName(text: string): string {
  let out = '';
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    if (char === '/') out += '-';
    else if (PLAIN.test(char) && !(char === '.' && out === '')) out += char;
    else out += `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return out;
}

/** The reverse of {@link escapeName}. Throws `bad-escape` for a backslash that starts no `\xNN`, or bytes that are no UTF-8. */
export function unescapeName(text: string): string {
  if (!/[-\\]/.test(text)) return text;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let i = 0; i < text.length; ) {
    if (text[i] === '-') {
      bytes.push(0x2f);
      i++;
    } else if (text[i] === '\\') {
      const hex = /^x([0-9a-fA-F]{2})/.exec(text.slice(i + 1, i + 4))?.[1];
      if (hex === undefined) throw badEscape(text, 'a backslash must start \\xNN');
      bytes.push(Number.parseInt(hex, 16));
      i += 4;
    } else {
      const char = String.fromCodePoint(text.codePointAt(i)!);
      bytes.push(...encoder.encode(char));
      i += char.length;
    }
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    throw badEscape(text, 'the bytes are not UTF-8');
  }
}

/** systemd-escape --path: `/mnt/my disk/` becomes `mnt-my\x20disk`, the root `-`. Throws `bad-escape` for a path with `..`. */
export function escapePath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw badEscape(path, 'a path with ".." has no unit name');
  return parts.length === 0 ? '-' : escapeName(parts.join('/'));
}

/** The reverse of {@link escapePath}: always an absolute path. */
export function unescapePath(text: string): string {
  return text === '-' ? '/' : `/${unescapeName(text)}`;
}

function badEscape(text: string, why: string): ClusterError {
  return new ClusterError('bad-escape', `cannot unescape ${JSON.stringify(text)}: ${why}`, {
    hint: 'systemd-escape shows how a text is written in a unit name',
  });
}
