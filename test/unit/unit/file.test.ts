import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalText,
  effectiveValues,
  options,
  parseUnitFile,
  printUnitFile,
  readUnitFile,
  splitQuoted,
  unitHash,
  values,
} from '../../../src/lib/unit/index.ts';
import { refusal } from './support.ts';

const piece = fc.constantFrom(
  '[Unit]',
  '[X-Fleet]',
  '[',
  ']',
  'A',
  'Key',
  '=',
  ' ',
  '\n',
  '\r\n',
  '\r',
  '\\',
  '\\\n',
  '#',
  ';',
  '"',
  '\t',
  '\ufeff',
  'é',
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(piece, { maxLength: 40 }).map((all) => all.join('')),
);

describe('unit files', () => {
  test('print what was read, for any text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printUnitFile(readUnitFile(text))).toBe(text);
      }),
      { numRuns: 5000 },
    );
  });

  test('either parse and print the same, or are refused with a line', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        let file: ReturnType<typeof parseUnitFile>;
        try {
          file = parseUnitFile(text);
        } catch {
          const error = refusal(() => parseUnitFile(text));
          expect(error.code).toMatch(/^unit-file-/);
          expect(error.place.line).toBeGreaterThan(0);
          return;
        }
        expect(printUnitFile(file)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  test('keep their hash through their canonical text', () => {
    const key = fc.stringMatching(/^[A-Za-z]{1,5}$/);
    const value = fc.stringMatching(/^[a-z%"= ]{0,9}$/);
    const section = fc.tuple(fc.constantFrom('Unit', 'Service', 'X-Fleet'), fc.array(fc.tuple(key, value)));
    fc.assert(
      fc.property(fc.array(section), (all) => {
        const text = all
          .map(([name, list]) => `[${name}]\n${list.map(([k, v]) => `${k} = ${v}\n`).join('')}`)
          .join('');
        expect(unitHash(canonicalText(parseUnitFile(text)))).toBe(unitHash(text));
      }),
    );
  });

  test('tell options with their lines', () => {
    const file = parseUnitFile('# c\n[Unit]\nA = 1\n\n[Service]\nB=x \\\n  y\nB=\nB=z\n');
    expect(options(file)).toEqual([
      { section: 'Unit', key: 'A', value: '1', line: 3 },
      { section: 'Service', key: 'B', value: 'x \\\n  y', line: 6 },
      { section: 'Service', key: 'B', value: '', line: 8 },
      { section: 'Service', key: 'B', value: 'z', line: 9 },
    ]);
    expect(values(file, 'Service', 'B')).toEqual(['x \\\n  y', '', 'z']);
    expect(effectiveValues(file, 'Service', 'B')).toEqual(['z']);
  });

  test.each([
    ['continued lines join', '[S]\nA=x \\\n  y', ['x  y']],
    ['comments inside are left out', '[S]\nA=x \\\n# no \\\ny', ['x  y']],
    ['continuation at the end of the file', '[S]\nA=x \\', ['x']],
    ['an even number of backslashes ends the value', '[S]\nA=x\\\\\nB=1', ['x\\\\']],
    ['a comment is never continued', '[S]\n# c \\\nA=x', ['x']],
    ['CRLF and a byte order mark', '\ufeff[S]\r\nA=x\r\n', ['x']],
  ])('%s', (_, text, expected) => expect(effectiveValues(parseUnitFile(text), 'S', 'A')).toEqual(expected));

  test.each([
    ['[Unit]\nnonsense\n', 'unit-file-syntax', 2, '"=" after the key'],
    ['[Unit]\n=x\n', 'unit-file-syntax', 2, 'a key before "="'],
    ['\n[Unit] x\n', 'unit-file-syntax', 2, 'nothing after "]"'],
    ['[Unit\nA=1\n', 'unit-file-syntax', 1, '"]" at the end'],
    ['[]\n', 'unit-file-syntax', 1, 'a section name'],
    ['[Unit]\nA=\0\n', 'unit-file-binary', 2, 'not text'],
    ['\x7fELF\x02\x01\n', 'unit-file-binary', 1, 'not text'],
  ])('refuse %j', (text, code, line, words) => {
    const error = refusal(() => parseUnitFile(text, { file: 'a.service' }));
    expect(error).toMatchObject({ code, place: { file: 'a.service', line } });
    expect(error.message).toContain(words);
  });

  test('may have 1 MiB and no more, and lines beyond 2048 bytes', () => {
    const head = '[S]\nA=';
    const most = head + 'x'.repeat(1024 * 1024 - head.length);
    expect(parseUnitFile(most).options).toHaveLength(1);
    expect(refusal(() => parseUnitFile(`${most}x`)).code).toBe('unit-file-too-large');
  });
});

describe('splitQuoted', () => {
  test.each([
    ['a  b', ['a', 'b']],
    ['"A=1 2" \'B=3 4\' C=5', ['A=1 2', 'B=3 4', 'C=5']],
    ['x"y z"w ""', ['xy zw', '']],
    ['a\\x20b \\u00e9 \\"q \\101', ['a b', 'é', '"q', 'A']],
    ['', []],
  ])('%j', (text, expected) => expect(splitQuoted(text)).toEqual(expected));

  test.each(['"open', 'end\\', '\\q', '\\x0'])('refuses %j', (text) =>
    expect(refusal(() => splitQuoted(text)).code).toBe('bad-quoting'),
  );
});
