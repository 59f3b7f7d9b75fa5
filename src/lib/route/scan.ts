import { complain, type Language, MAX_EXPRESSION_LENGTH, quote } from './language.ts';
import { unquote } from './literal.ts';

export interface Token {
  readonly kind: 'name' | 'int' | 'float' | 'string' | 'operator' | 'end';
  /** As written; of a string, its value. */
  readonly text: string;
  /** 0-based offset. */
  readonly at: number;
  /** A line ends before this token where Go would end the expression too. */
  readonly broken: boolean;
}

const SPACE = /(?:[ \t\r\n]|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const OPERATOR = /&&|\|\||[=!<>]=|[<>!(),]/y;
const NAME = /[\p{L}_][\p{L}\p{Nd}_]*/uy;
const NUMBER = /\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y;

/** The tokens of a Go expression, as far as our languages use them; the last one is `end`. */
export function scan(text: string, language: Language): readonly Token[] {
  if (text.length > MAX_EXPRESSION_LENGTH)
    throw language.error(
      `${language.name}: ${text.length} characters are too many; at most ${MAX_EXPRESSION_LENGTH}`,
    );
  const odd = text.search(/[\0\ufeff\p{Cs}]/u);
  if (odd >= 0) throw complain(language, text, odd, 'a character that no text may have');
  const tokens: Token[] = [];
  for (let at = 0; ; ) {
    const space = take(SPACE, text, at) ?? '';
    const last = tokens.at(-1);
    at += space.length;
    const broken = last !== undefined && endsLine(last) && space.includes('\n');
    if (at >= text.length) return [...tokens, { kind: 'end', text: '', at, broken: false }];
    const { length, ...token } = read(text, at, language);
    tokens.push({ ...token, at, broken });
    at += length;
  }
}

/** Go reads a line end as the end of the expression after a name, a literal or a closing bracket. */
function endsLine({ kind, text }: Token): boolean {
  return kind !== 'operator' || text === ')';
}

function read(
  text: string,
  at: number,
  language: Language,
): Pick<Token, 'kind' | 'text'> & { length: number } {
  const literal = take(STRING, text, at);
  if (literal !== null) {
    const value = unquote(literal);
    if (typeof value === 'string') return { kind: 'string', text: value, length: literal.length };
    throw complain(language, text, at + value.offset, value.problem);
  }
  if (text[at] === '"' || text[at] === '`')
    throw complain(language, text, at, 'a string that is never closed');
  const name = take(NAME, text, at);
  if (name !== null) return { kind: 'name', text: name, length: name.length };
  const number = take(NUMBER, text, at);
  if (number !== null) {
    const after = text.charAt(at + number.length);
    const whole = /^\d+$/.test(number);
    if (/[\p{L}\p{Nd}_.]/u.test(after) || (whole && /^0.*[89]/.test(number)))
      throw complain(language, text, at, 'a number that cannot be read');
    return { kind: whole ? 'int' : 'float', text: number, length: number.length };
  }
  const operator = take(OPERATOR, text, at);
  if (operator !== null) return { kind: 'operator', text: operator, length: operator.length };
  const char = String.fromCodePoint(text.codePointAt(at) ?? 0);
  const meant = { '&': '; "and" is &&', '|': '; "or" is ||', "'": '; strings stand in "..." or `...`' }[char];
  throw complain(language, text, at, `${quote(char)} has no meaning here${meant ?? ''}`);
}

function take(shape: RegExp, text: string, at: number): string | null {
  shape.lastIndex = at;
  return shape.exec(text)?.[0] ?? null;
}
