import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canonicalText,
  effectiveValues,
  parseUnitFile,
  printUnitFile,
  readUnitFile,
  unitHash,
  validateUnit,
  values,
} from '../../../src/lib/unit/index.ts';

const words = (text: string): string[] => effectiveValues(parseUnitFile(text), 'Service', 'ExecStart');

describe('a comment inside a continued value', () => {
  test.each([
    ['one', 'ExecStart=/bin/echo a \\\n# note\nb\n', '/bin/echo a  b'],
    [
      'several, of both kinds, indented',
      'ExecStart=/bin/echo a \\\n  # x\n; y\n\t#z\n  b\n',
      '/bin/echo a  b',
    ],
    ['which ends in a backslash', 'ExecStart=/bin/echo a \\\n# note \\\nb\n', '/bin/echo a  b'],
    ['and the rest goes on', 'ExecStart=/bin/echo a \\\n# note\nb \\\n# more\nc\n', '/bin/echo a  b  c'],
    ['and the rest has "="', 'ExecStart=/bin/run \\\n# env\n-e A=b \\\n image\n', '/bin/run  -e A=b  image'],
    ['and the rest is a long flag', 'ExecStart=/bin/run \\\n# env\n--env=A\n', '/bin/run  --env=A'],
    ['CRLF', 'ExecStart=/bin/echo a \\\r\n# note\r\nb\r\n', '/bin/echo a  b'],
    ['no line end at the end', 'ExecStart=/bin/echo a \\\n# note\nb', '/bin/echo a  b'],
  ])('is left out and the value goes on: %s', (_, body, expected) => {
    const text = `[Service]\n${body}${body.endsWith('\n') ? '[X-Fleet]\nGlobal=true\n' : ''}`;
    const file = parseUnitFile(text);
    expect(words(text)).toEqual([expected]);
    expect(file.options.filter(({ section }) => section === 'Service')).toHaveLength(1);
    expect(printUnitFile(file)).toBe(text);
    expect(unitHash(canonicalText(file))).toBe(unitHash(text));
    expect(validateUnit('a.service', text).warnings).toEqual([]);
  });

  test.each([
    ['an option', 'ExecStart=/bin/echo\\\n# note\nType=oneshot\n'],
    ['an option with blanks', 'ExecStart=/bin/echo\\\n# note\nX-Type2 = oneshot\n'],
    ['a section', 'ExecStart=/bin/echo\\\n# note\n[Install]\n'],
    ['more comments, then an option', 'ExecStart=/bin/echo\\\n# note\n# more\nType=oneshot\n'],
  ])('ends the value before %s, as in fleet, and is warned of', (_, body) => {
    const text = `[Service]\n${body}`;
    expect(values(parseUnitFile(text), 'Service', 'ExecStart')).toEqual(['/bin/echo\\\n# note']);
    expect(validateUnit('a.service', text).warnings.join()).toContain('leaves a comment out');
  });

  test('does not make other broken lines good', () => {
    expect(readUnitFile('[Service]\nExecStart=a \\\n# c\n\nb\n').problems).toHaveLength(1);
    expect(readUnitFile('[Service]\nExecStart=a\n# c\nb\n').problems).toHaveLength(1);
  });

  test('loses nothing, whatever lines come', () => {
    const line = fc.constantFrom(
      '[S]',
      'A=x \\',
      'A=x',
      '# c',
      '; c \\',
      'b',
      'b \\',
      '-e X=y',
      '',
      ' ',
      '[',
      '=',
    );
    const end = fc.constantFrom('\n', '\r\n', '\r');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), end, fc.boolean(), (lines, eol, closed) => {
        const text = lines.join(eol) + (closed ? eol : '');
        const file = readUnitFile(text);
        expect(printUnitFile(file)).toBe(text);
        expect(file.lines).toHaveLength(text.match(/[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+$/g)?.length ?? 0);
      }),
      { numRuns: 2000 },
    );
  });

  test('keeps its hash through its canonical text, whatever lines come', () => {
    const line = fc.constantFrom('A=x \\', 'B=x', '# c', '; c \\', 'b', 'b \\', '-e X=y', '');
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const file = readUnitFile(`[S]\n${lines.join('\n')}\n`);
        fc.pre(file.problems.length === 0);
        expect(unitHash(canonicalText(file))).toBe(unitHash(file));
      }),
      { numRuns: 2000 },
    );
  });
});
