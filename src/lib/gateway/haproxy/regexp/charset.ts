/** A set of bytes: a flag for each ASCII one, and whether all the others belong to it. */
export interface CharSet {
  readonly ascii: readonly boolean[];
  readonly high: boolean;
}

export const ASCII = 128;

const of = (has: (code: number) => boolean, high = false): CharSet => ({
  ascii: Array.from({ length: ASCII }, (_, code) => has(code)),
  high,
});

const ranges = (text: string): CharSet => {
  const pairs = text.match(/[\s\S]{2}/g) ?? [];
  return of((code) => pairs.some((pair) => code >= pair.charCodeAt(0) && code <= pair.charCodeAt(1)));
};

export const single = (code: number): CharSet => of((other) => other === code);
export const between = (low: number, high: number): CharSet => of((code) => code >= low && code <= high);
export const empty: CharSet = of(() => false);
/** Everything but a line end, as `.` means without the flag s. */
export const anyButNewline: CharSet = of((code) => code !== 10, true);
export const any: CharSet = of(() => true, true);

export const complement = ({ ascii, high }: CharSet): CharSet => of((code) => !ascii[code], !high);
export const union = (a: CharSet, b: CharSet): CharSet =>
  of((code) => Boolean(a.ascii[code] || b.ascii[code]), a.high || b.high);
/** With the other case of each of its letters. */
export const foldCase = (set: CharSet): CharSet =>
  of((code) => {
    const char = String.fromCharCode(code);
    return [char, char.toLowerCase(), char.toUpperCase()].some((other) => set.ascii[other.charCodeAt(0)]);
  }, set.high);

/** `\d`, `\s`, `\w` as RE2 means them; PCRE2's `\s` has a vertical tab more. */
export const PERL: Readonly<Record<string, CharSet>> = {
  d: ranges('09'),
  s: ranges('\t\n\f\r  '),
  w: ranges('09AZaz__'),
};

/** `[:name:]`. */
export const POSIX: Readonly<Record<string, CharSet>> = {
  alnum: ranges('09AZaz'),
  alpha: ranges('AZaz'),
  ascii: ranges('\0\x7f'),
  blank: ranges('\t\t  '),
  cntrl: ranges('\0\x1f\x7f\x7f'),
  digit: ranges('09'),
  graph: ranges('!~'),
  lower: ranges('az'),
  print: ranges(' ~'),
  punct: ranges('!/:@[`{~'),
  space: ranges('\t\r  '),
  upper: ranges('AZ'),
  word: ranges('09AZaz__'),
  xdigit: ranges('09AFaf'),
};

/** The set as PCRE2 writes it: one character, or a class; nothing but printable ASCII. */
export function printSet(set: CharSet): string {
  const codes = set.ascii.flatMap((has, code) => (has ? [code] : []));
  if (!set.high && codes.length === 1) return escapeCode(codes[0] ?? 0);
  if (!set.high) return codes.length === 0 ? '[^\\x00-\\xff]' : `[${printRanges(set)}]`;
  return codes.length === ASCII ? '[\\x00-\\xff]' : `[^${printRanges(complement(set))}]`;
}

function printRanges({ ascii }: CharSet): string {
  let printed = '';
  for (let low = 0; low < ASCII; low++) {
    if (!ascii[low]) continue;
    let high = low;
    while (high + 1 < ASCII && ascii[high + 1]) high++;
    printed += escapeCode(low);
    if (high > low) printed += `${high > low + 1 ? '-' : ''}${escapeCode(high)}`;
    low = high;
  }
  return printed;
}

function escapeCode(code: number): string {
  const char = String.fromCharCode(code);
  if (/[0-9A-Za-z_/;,@%&!~'<>]/.test(char)) return char;
  return `\\x${code.toString(16).padStart(2, '0')}`;
}
