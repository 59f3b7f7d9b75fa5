import { ClusterError } from '../error.ts';

const SIMPLE: Readonly<Record<string, string>> = {
  a: '\u0007',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  s: ' ',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/**
 * Splits a value into words as systemd does: whitespace separates, single and double quotes group, and C escapes apply
 * everywhere. Throws `bad-quoting` for an unterminated quote or an unknown escape.
 */
export function splitQuoted(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '\\') {
      const [value, length] = readEscape(text, i + 1);
      word = (word ?? '') + value;
      i += length;
    } else if (quote !== null) {
      if (char === quote) quote = null;
      else word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/[ \t\n\r]/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== null) throw bad(text, `a ${quote} is never closed`);
  if (word !== null) words.push(word);
  return words;
}

function readEscape(text: string, at: number): [value: string, length: number] {
  const char = text[at];
  if (char === undefined) throw bad(text, 'it ends in a backslash');
  const simple = SIMPLE[char];
  if (simple !== undefined) return [simple, 1];
  const rest = text.slice(at, at + 9);
  const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
  const octal = /^[0-3][0-7]{2}/.exec(rest)?.[0];
  const digits = hex?.[1] ?? hex?.[2] ?? hex?.[3];
  const code = octal !== undefined ? Number.parseInt(octal, 8) : Number.parseInt(digits ?? '', 16);
  if (!(code > 0 && code <= 0x10ffff)) throw bad(text, `\\${char} is no escape`);
  return [String.fromCodePoint(code), (octal ?? hex?.[0] ?? '').length];
}

function bad(text: string, why: string): ClusterError {
  return new ClusterError('bad-quoting', `cannot split ${JSON.stringify(text)}: ${why}`, {
    hint: 'quote a word with blanks as "a word", write a backslash as \\\\',
  });
}
