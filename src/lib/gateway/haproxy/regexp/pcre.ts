import { compileRegexp } from '../../../route/regexp.ts';
import { backtracks } from './backtrack.ts';
import { printSet } from './charset.ts';
import { parseRe2, type Re } from './re2.ts';

/**
 * The same regular expression for PCRE2 without UTF, as HAProxy reads it, or null where it cannot be the same. For
 * subjects of ASCII characters it matches exactly what RE2 matches; in other subjects `.` and negated classes stand for
 * a byte, not a character. The text is printable ASCII without blanks, save characters above ASCII that stood in it.
 *
 * | RE2 | here |
 * | --- | --- |
 * | `$` (PCRE2: also before a last line end) | `\z` |
 * | `.`, `(?s)` | a class with or without `\n` |
 * | `\d \s \w` (PCRE2's `\s` has `\v`), `[:alpha:]` | spelt out |
 * | `(?i)` | both cases in a class |
 * | `(?U)` | worked into each repetition |
 * | `(?P<name>...)` | a plain group, same number |
 * | `\Q...\E`, octal, `\x{41}` | spelt out |
 * | `\A`, `\z`, `\b`, `\B` | the same |
 * | `\pN`, classes with characters above ASCII, `(?m)` with `^` or `$` | null |
 * | a repeated assertion, an endless repetition of what can be empty | null |
 * | `\C`, backreferences, look-around (RE2 has none) | null |
 * | what backtracking may take exponential time for, such as `(a+)+`, or too many `.*` | null |
 */
export function toPcre(text: string): string | null {
  if (typeof compileRegexp(text) === 'string') return null;
  const tree = parseRe2(text);
  if (tree === null || isDoubtful(tree) || backtracks(tree)) return null;
  return print(tree);
}

function isDoubtful(re: Re): boolean {
  switch (re.kind) {
    case 'cat':
    case 'alt':
      return re.items.some(isDoubtful);
    case 'capture':
      return isDoubtful(re.item);
    case 'repeat':
      return isDoubtful(re.item) || re.item.kind === 'assert' || (re.max > 1 && canBeEmpty(re.item));
    default:
      return false;
  }
}

function canBeEmpty(re: Re): boolean {
  switch (re.kind) {
    case 'cat':
      return re.items.every(canBeEmpty);
    case 'alt':
      return re.items.some(canBeEmpty);
    case 'capture':
      return canBeEmpty(re.item);
    case 'repeat':
      return re.min === 0 || canBeEmpty(re.item);
    default:
      return re.kind === 'assert';
  }
}

const ASSERTIONS = { start: '^', end: '\\z', word: '\\b', 'not-word': '\\B' } as const;

function print(re: Re): string {
  switch (re.kind) {
    case 'set':
      return printSet(re.set);
    case 'wide':
      return re.char;
    case 'assert':
      return ASSERTIONS[re.what];
    case 'cat':
      return re.items.map((item) => (item.kind === 'alt' ? `(?:${print(item)})` : print(item))).join('');
    case 'alt':
      return re.items.map(print).join('|');
    case 'capture':
      return `(${print(re.item)})`;
    case 'repeat': {
      const { item } = re;
      const atom = item.kind === 'set' || item.kind === 'capture' ? print(item) : `(?:${print(item)})`;
      return `${atom}${count(re.min, re.max)}${re.lazy ? '?' : ''}`;
    }
  }
}

function count(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? '*' : min === 1 ? '+' : `{${min},}`;
  if (min === 0 && max === 1) return '?';
  return min === max ? `{${min}}` : `{${min},${max}}`;
}
