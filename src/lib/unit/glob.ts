import { ClusterError } from '../error.ts';

export interface Glob {
  readonly pattern: string;
  /** What every matching name starts with. */
  readonly literalPrefix: string;
  /** The only name that matches, when the pattern has no wildcard. */
  readonly literal: string | null;
  test(name: string): boolean;
}

type Token =
  | { readonly kind: 'char'; readonly char: string }
  | { readonly kind: 'any' | 'star' }
  | {
      readonly kind: 'class';
      readonly negated: boolean;
      readonly ranges: readonly (readonly [number, number])[];
    };

/** Compiles a pattern with the rules of Go's path.Match. Throws `bad-glob` for a malformed one. */
export function compileGlob(pattern: string): Glob {
  const tokens = tokenize(pattern);
  let literalPrefix = '';
  let n = 0;
  for (; n < tokens.length; n++) {
    const token = tokens[n]!;
    if (token.kind !== 'char') break;
    literalPrefix += token.char;
  }
  if (n === tokens.length) {
    return { pattern, literalPrefix, literal: literalPrefix, test: (name) => name === literalPrefix };
  }
  const rest = tokens.slice(n);
  return {
    pattern,
    literalPrefix,
    literal: null,
    test: (name) =>
      name.startsWith(literalPrefix) && matchTokens(rest, [...name.slice(literalPrefix.length)]),
  };
}

/** A pattern as fleet uses it: a malformed one matches nothing, and `problem` says why. */
export function fleetGlob(pattern: string): Glob & { readonly problem?: string } {
  try {
    return compileGlob(pattern);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    return { pattern, literalPrefix: '', literal: null, test: () => false, problem: error.message };
  }
}

/** Go's path.Match as fleet uses it: the whole name must match, and a malformed pattern matches nothing. */
export function goMatch(pattern: string, name: string): boolean {
  return fleetGlob(pattern).test(name);
}

function tokenize(pattern: string): Token[] {
  const runes = [...pattern];
  const tokens: Token[] = [];
  let i = 0;
  const rune = (): string => {
    let char = runes[i];
    if (char === '\\') char = runes[++i];
    if (char === undefined) throw badGlob(pattern, 'it ends in a backslash');
    i++;
    return char;
  };
  const classRune = (): number => {
    const char = runes[i];
    if (char === undefined) throw badGlob(pattern, 'a "[" is never closed');
    if (char === '-' || char === ']')
      throw badGlob(pattern, `"${char}" stands where "[...]" needs a character`);
    const code = rune().codePointAt(0)!;
    if (i >= runes.length) throw badGlob(pattern, 'a "[" is never closed');
    return code;
  };
  while (i < runes.length) {
    const char = runes[i]!;
    if (char === '*') {
      i++;
      if (tokens.at(-1)?.kind !== 'star') tokens.push({ kind: 'star' });
    } else if (char === '?') {
      i++;
      tokens.push({ kind: 'any' });
    } else if (char === '[') {
      i++;
      const negated = runes[i] === '^';
      if (negated) i++;
      const ranges: [number, number][] = [];
      while (ranges.length === 0 || runes[i] !== ']') {
        const low = classRune();
        let high = low;
        if (runes[i] === '-') {
          i++;
          high = classRune();
        }
        ranges.push([low, high]);
      }
      i++;
      tokens.push({ kind: 'class', negated, ranges });
    } else {
      tokens.push({ kind: 'char', char: rune() });
    }
  }
  return tokens;
}

/** Greedy, with one backtracking point: only the last star may need to match more. */
function matchTokens(tokens: readonly Token[], name: readonly string[]): boolean {
  let t = 0;
  let n = 0;
  let starT = -1;
  let starN = 0;
  while (n < name.length || t < tokens.length) {
    const token = tokens[t];
    if (token?.kind === 'star') {
      starT = t++;
      starN = n;
      continue;
    }
    if (token !== undefined && n < name.length && matchOne(token, name[n]!)) {
      t++;
      n++;
      continue;
    }
    if (starT === -1 || starN >= name.length || name[starN] === '/') return false;
    t = starT + 1;
    n = ++starN;
  }
  return true;
}

function matchOne(token: Token, char: string): boolean {
  if (token.kind === 'char') return token.char === char;
  if (token.kind === 'class') {
    const code = char.codePointAt(0)!;
    return token.ranges.some(([low, high]) => low <= code && code <= high) !== token.negated;
  }
  return char !== '/';
}

function badGlob(pattern: string, why: string): ClusterError {
  return new ClusterError('bad-glob', `malformed pattern ${JSON.stringify(pattern)}: ${why}`, {
    hint: 'patterns know * ? [a-z] [^a-z] and \\ before a special character',
  });
}
