import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toPcre } from '../../../src/lib/gateway/haproxy/regexp/pcre.ts';
import { matches, parseRoute } from '../../../src/lib/route/index.ts';
import { compileRegexp, lowerRegexp } from '../../../src/lib/route/regexp.ts';
import { refusal, request } from '../route/support.ts';

/** GNU grep's -P is PCRE2; in the C locale it reads bytes, as HAProxy does. */
const grep = (pattern: string, lines: readonly string[]): Set<string> => {
  const { status, stdout, stderr } = spawnSync('grep', ['-P', '-e', pattern], {
    input: lines.map((line) => `${line}\n`).join(''),
    env: { ...process.env, LC_ALL: 'C' },
    encoding: 'utf8',
  });
  if (status === null || status > 1) throw new Error(stderr);
  return new Set(stdout.split('\n').slice(0, -1));
};

const hasPcre = spawnSync('grep', ['-P', 'a'], { input: 'a\n' }).status === 0;

const re2 = (pattern: string, subject: string): boolean => {
  const compiled = compileRegexp(pattern);
  if (typeof compiled === 'string') throw new Error(compiled);
  return compiled.test(subject);
};

describe('toPcre', { timeout: 30_000 }, () => {
  test.each([
    ['.*', '[^\\x0a]*'],
    ['(?s).', '[\\x00-\\xff]'],
    ['^/api/.*$', '^/api/[^\\x0a]*\\z'],
    ['\\A/a\\z', '^/a\\z'],
    ['a.b\\.c', 'a[^\\x0a]b\\x2ec'],
    ['(?i)aB1', '[Aa][Bb]1'],
    ['(?i:a)b', '[Aa]b'],
    ['(?i)[^k]', '[^Kk]'],
    ['a(?i)b|c', 'a[Bb]|[Cc]'],
    ['\\s', '[\\x09\\x0a\\x0c\\x0d\\x20]'],
    ['\\D', '[^0-9]'],
    ['[[:word:]-]', '[\\x2d0-9A-Z_a-z]'],
    ['[^[:^digit:]]', '[0-9]'],
    ['[]a]', '[\\x5da]'],
    ['[a-]', '[\\x2da]'],
    ['(?P<n>a)(?:b|c)(d|e)', '(a)(?:b|c)(d|e)'],
    ['(?U)a+b+?', 'a+?b+'],
    ['a{2}b{2,}c{0,3}d{,5}', 'a{2}b{2,}c{0,3}d\\x7b,5\\x7d'],
    ['\\Qa.b\\E+\\x41\\x{42}\\103\\t', 'a\\x2eb+ABC\\x09'],
    ['(/[a-z]+)*$', '(/[a-z]+)*\\z'],
    ['([^.]+\\.)+example', '([^\\x2e]+\\x2e)+example'],
    ['(GET|PUT)?', '(GET|PUT)?'],
    ['\\bé\\B', '\\bé\\B'],
    ['é+', '(?:é)+'],
    ['[^\\s\\S]', '[^\\x00-\\xff]'],
    [
      '^(?:/[^/]+){2}/a[^/]*/b[^/]*/c[^/]*/d[^/]*/e[^/]*$',
      '^(?:/[^/]+){2}/a[^/]*/b[^/]*/c[^/]*/d[^/]*/e[^/]*\\z',
    ],
    ['.*a.*b.*c', '[^\\x0a]*a[^\\x0a]*b[^\\x0a]*c'],
    ['', ''],
  ])('%s becomes %s', (text, wanted) => {
    expect(toPcre(text)).toBe(wanted);
  });

  test.each([
    ['not RE2 at all', '(?=a)'],
    ['a backreference', '(a)\\1'],
    ['a bad expression', '['],
    ['a Unicode class', '\\pN'],
    ['a Unicode class by name', '[\\p{Greek}]'],
    ['a class above ASCII', '[é]'],
    ['a range above ASCII', '[a-\\x{100}]'],
    ['no case above ASCII', '(?i)é'],
    ['line starts', '(?m)^a'],
    ['line ends', '(?m:a$)'],
    ['a repeated assertion', '\\b+'],
    ['an endless repetition of nothing', '(a*)*'],
    ['an empty alternative, repeated', '(|a)+'],
    ['nested repetitions', '(a+)+$'],
    ['nested repetitions of a class', '(.+)+x'],
    ['alternatives that start alike', '(a|ab)*c'],
    ['the same alternative twice', '(?:a|a){2,30}'],
    ['counted nested repetitions', '(a+){10}'],
    ['very many endless repetitions', '.*a.*b.*c.*d.*e.*f.*g'],
  ])('is null for %s', (_why, text) => {
    expect(toPcre(text)).toBeNull();
  });

  const atoms = [
    'a',
    'B',
    '1',
    '/',
    '.',
    '\\.',
    '\\d',
    '\\W',
    '\\s',
    '[a-c]',
    '[^/]',
    '[[:alpha:]_-]',
    '\\b',
    '^',
    '$',
    '\\z',
    '(?i:a)',
    '(?i)',
    '(?U)',
    '(?s:.)',
    '\\Q.+\\E',
    '\\x41',
    '\\101',
    '-',
    ' ',
    '#',
    '"',
    '{',
  ];
  const pieceArb = fc.letrec<{ piece: string }>((tie) => ({
    piece: fc.oneof(
      { maxDepth: 3 },
      { weight: 5, arbitrary: fc.constantFrom(...atoms) },
      fc
        .tuple(
          fc.constantFrom('(', '(?:', '(?P<n>'),
          fc.array(tie('piece'), { maxLength: 3 }),
          fc.constantFrom(')', ')?', ')*', ')+', '){2}', ')*?', '|a)', '|)'),
        )
        .map(([open, body, close]) => `${open}${body.join('')}${close}`),
      fc.tuple(tie('piece'), fc.constantFrom('*', '+', '?', '{0,2}', '+?', '|')).map((pair) => pair.join('')),
    ),
  })).piece;
  const patternArb = fc.array(pieceArb, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));

  test('means the same to RE2', () => {
    let translated = 0;
    const subjectArb = fc.string({ unit: fc.constantFrom(...'aAbB1/. -_\n{}#"+'), maxLength: 8 });
    fc.assert(
      fc.property(patternArb, fc.array(subjectArb, { minLength: 5, maxLength: 10 }), (pattern, subjects) => {
        const same = toPcre(pattern);
        if (same === null) return;
        translated++;
        for (const subject of subjects) expect(re2(same, subject)).toBe(re2(pattern, subject));
      }),
      { numRuns: 700 },
    );
    expect(translated).toBeGreaterThan(200);
  });

  test.skipIf(!hasPcre)('means to PCRE2 what the original means to RE2', () => {
    let translated = 0;
    const subjectArb = fc.string({ unit: fc.constantFrom(...'aAbB1/. -_\t{}#"+'), maxLength: 8 });
    fc.assert(
      fc.property(
        patternArb,
        fc.uniqueArray(subjectArb, { minLength: 20, maxLength: 40 }),
        (pattern, subjects) => {
          const same = toPcre(pattern);
          if (same === null) return;
          translated++;
          const found = grep(same, subjects);
          for (const subject of subjects)
            expect([subject, found.has(subject)]).toEqual([subject, re2(pattern, subject)]);
        },
      ),
      { numRuns: 200 },
    );
    expect(translated).toBeGreaterThan(30);
  });
});

describe('lowerRegexp', () => {
  test.each([
    ['.*Example\\.Com', '.*example\\.com'],
    ['\\S+\\D[^A-Z]', '\\S+\\D[^a-z]'],
    ['(?P<Name>A)(?i-U:B)\\pL\\p{Lu}\\x{4A}', '(?P<Name>a)(?i-U:b)\\pL\\p{Lu}\\x{4A}'],
    ['\\QA.B\\EC\\QD', '\\Qa.b\\Ec\\Qd'],
  ])('%s', (text, wanted) => expect(lowerRegexp(text)).toBe(wanted));
});

describe('no expression hangs', () => {
  const long = 'a'.repeat(16_000);
  const nested = (open: string, close: string, count: number): string =>
    `${open.repeat(count)}a${close.repeat(count)}`;

  test.each([
    ['nested repetitions', '(a+)+b'],
    ['overlapping alternatives', '(a|a|aa)*b'],
    ['many stars', `${'.*'.repeat(500)}b`],
    ['optional letters', `${'a?'.repeat(500)}${'a'.repeat(500)}b`],
    ['counts in counts', '(a{0,20}){0,20}b'],
    ['deep groups', nested('(', ')*', 400)],
    ['deep plain groups', nested('(?:', ')', 900)],
    ['many alternatives in a loop', `(${Array.from({ length: 700 }, (_, i) => `a${i}`).join('|')})*b`],
    ['many optional parts in a loop', `(?:${'a?b?'.repeat(500)}c)*d`],
  ])('%s', { timeout: 20_000 }, (_name, regexp) => {
    toPcre(regexp);
    const text = `PathRegexp(\`${regexp}\`)`;
    expect(matches(parseRoute(text), request(`/${long}`))).toBeTypeOf('boolean');
  });

  test.each([
    ['large counts', '(a{0,30}){0,30}b'],
    ['counts of counts', '((a{100}){100}){100}'],
    ['a count too large', 'a{1001}'],
    ['groups too deep', nested('(', ')', 1500)],
    ['more program than any route needs', '.{1000}'.repeat(400)],
  ])('%s are refused', { timeout: 20_000 }, (_name, regexp) => {
    expect(refusal(() => parseRoute(`PathRegexp("${regexp}")`)).code).toBe('route-syntax');
    expect(toPcre(regexp)).toBeNull();
  });
});
