import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backendName } from '../../../src/lib/gateway/haproxy/names.ts';
import {
  argument,
  isMapKey,
  literal,
  quote,
  Unservable,
} from '../../../src/lib/gateway/haproxy/translate/quote.ts';
import { substitution } from '../../../src/lib/gateway/haproxy/translate/rewrite.ts';
import {
  decodeName,
  encodeName,
  readBackendName,
} from '../../../src/lib/gateway/haproxy/translate/translate.ts';

describe('names', () => {
  const id = fc.string({ unit: 'grapheme', minLength: 1 });

  test('are plain, and say which id they were made from', () => {
    fc.assert(
      fc.property(id, (text) => {
        expect(encodeName(text)).toMatch(/^([\w.-]|:[0-9A-F]{2})+$/);
        expect(decodeName(encodeName(text))).toBe(text);
      }),
    );
  });

  test('of backends with another way to retry are nobody else’s', () => {
    fc.assert(
      fc.property(id, fc.constantFrom('', 'stream', 'r12ab34cd'), (text, profile) => {
        expect(readBackendName(backendName(text, profile))).toEqual({ id: text, profile });
      }),
    );
  });
});

/** Reads one word of a configuration line as HAProxy's manual says (section 2.2), or as an argument between brackets. */
function unquote(text: string): string {
  let out = '';
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? '';
    if (char === "'") inside = !inside;
    else if (!inside && char === '\\') out += text[++i];
    else if (!inside && /[\s#"$,)]/.test(char))
      throw new Error(`${JSON.stringify(char)} stands open in ${text}`);
    else out += char;
  }
  if (inside) throw new Error('a quote stands open');
  return out;
}

describe('quoting', () => {
  const line = fc.string({
    unit: fc.oneof(fc.constantFrom(...`'"\\$%# ,()[]{}`), fc.string({ unit: 'grapheme', maxLength: 1 })),
  });

  test('gives back the very text, once and twice quoted; control characters are refused', () => {
    fc.assert(
      fc.property(line, (text) => {
        if (/\p{Cc}/u.test(text)) return expect(() => quote(text)).toThrow(Unservable);
        expect(unquote(quote(text))).toBe(text);
        expect(unquote(unquote(quote(argument(text))))).toBe(text);
        expect(literal(text).replaceAll('%%', '')).not.toContain('%');
        if (isMapKey(text)) expect(text).not.toMatch(/^#|\s/);
      }),
    );
  });

  test.each([
    ['(a)(b)', '$2-$1', '\\2-\\1'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's way to write a group in a replacement
    ['(?P<x>a)', '${x}${1}$x', '\\1\\1\\1'],
    ['(a)', '$1x|$2|$$|\\', '||$|\\\\'],
  ])('%s: %s is %s', (regexp, replacement, expected) =>
    expect(substitution(regexp, replacement)).toBe(expected),
  );
});
