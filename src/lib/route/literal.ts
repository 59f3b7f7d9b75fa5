const SIMPLE: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  '\\': 92,
  '"': 34,
};

const NUMERIC = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;

/** A problem inside a string literal; `offset` counts from the opening quote. */
export interface LiteralProblem {
  readonly problem: string;
  readonly offset: number;
}

/** The value of a Go string literal, quotes included, in either quote style. */
export function unquote(literal: string): string | LiteralProblem {
  const body = literal.slice(1, -1);
  if (literal.startsWith('`')) return body.replaceAll('\r', '');
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (let i = 0; i < body.length; ) {
    if (body[i] !== '\\') {
      const end = body.indexOf('\\', i);
      const plain = body.slice(i, end === -1 ? undefined : end);
      bytes.push(...encoder.encode(plain));
      i += plain.length;
      continue;
    }
    const simple = SIMPLE[body[i + 1] ?? ''];
    if (simple !== undefined) {
      bytes.push(simple);
      i += 2;
      continue;
    }
    const found = numericEscape(body, i);
    if (found === null) {
      const problem = `${JSON.stringify(body.slice(i, i + 2))} is not an escape of a Go string`;
      return { problem: `${problem}; a backslash is written \\\\, or use \`...\``, offset: i + 1 };
    }
    bytes.push(...found.bytes);
    i += found.length;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
  } catch {
    return { problem: 'the string is not UTF-8', offset: 0 };
  }
}

function numericEscape(body: string, at: number): { bytes: Iterable<number>; length: number } | null {
  NUMERIC.lastIndex = at;
  const found = NUMERIC.exec(body);
  if (found === null) return null;
  const [{ length }, hex, octal, short, long] = found;
  const byte =
    hex !== undefined ? Number.parseInt(hex, 16) : octal !== undefined ? Number.parseInt(octal, 8) : -1;
  if (byte > 255) return null;
  if (byte >= 0) return { bytes: [byte], length };
  const code = Number.parseInt(short ?? long ?? '', 16);
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
  return { bytes: new TextEncoder().encode(String.fromCodePoint(code)), length };
}

/** A Go string literal for the value: in backquotes where possible, so that regular expressions stay readable. */
export function goQuote(value: string): string {
  const plain = !/[\p{Cc}`\ufeff]/u.test(value);
  if (plain && /[\\"]/.test(value)) return `\`${value}\``;
  const escaped = value.replace(/[\p{Cc}\ufeff"\\]/gu, (char) =>
    char === '"' || char === '\\' ? `\\${char}` : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}
