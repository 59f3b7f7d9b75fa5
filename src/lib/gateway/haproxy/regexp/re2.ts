import {
  any,
  anyButNewline,
  between,
  type CharSet,
  complement,
  empty,
  foldCase,
  PERL,
  POSIX,
  single,
  union,
} from './charset.ts';

/** A regular expression as a tree; flags are worked into it. */
export type Re =
  | { readonly kind: 'set'; readonly set: CharSet }
  /** One character above ASCII. */
  | { readonly kind: 'wide'; readonly char: string }
  | { readonly kind: 'assert'; readonly what: 'start' | 'end' | 'word' | 'not-word' }
  | { readonly kind: 'cat' | 'alt'; readonly items: readonly Re[] }
  | { readonly kind: 'capture'; readonly item: Re }
  | {
      readonly kind: 'repeat';
      readonly item: Re;
      readonly min: number;
      /** Infinity = no end. */
      readonly max: number;
      readonly lazy: boolean;
    };

type Flags = { readonly [flag in 'i' | 's' | 'm' | 'U']: boolean };

const ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** Thrown for what has no tree here; never leaves this file. */
class Unsupported extends Error {}

/**
 * The tree of an expression that RE2 has accepted. Null for what cannot be expressed in bytes: classes of characters above
 * ASCII (`\pN`, `[é]`), such characters without regard to case, `^` and `$` at line ends (`(?m)`).
 */
export function parseRe2(text: string): Re | null {
  try {
    return new Reader(text).all();
  } catch (error) {
    if (error instanceof Unsupported) return null;
    throw error;
  }
}

class Reader {
  readonly #chars: readonly string[];
  #at = 0;
  #flags: Flags = { i: false, s: false, m: false, U: false };

  constructor(text: string) {
    this.#chars = [...text];
  }

  all(): Re {
    const tree = this.#alternatives();
    if (this.#at < this.#chars.length) throw new Unsupported();
    return tree;
  }

  #peek(length = 1): string {
    return this.#chars.slice(this.#at, this.#at + length).join('');
  }

  #take(): string {
    const char = this.#chars[this.#at++];
    if (char === undefined) throw new Unsupported();
    return char;
  }

  #accept(text: string): boolean {
    if (this.#peek(text.length) !== text) return false;
    this.#at += text.length;
    return true;
  }

  /** Everything up to `end`, which is passed over. */
  #until(end: string): string {
    let body = '';
    while (!this.#accept(end)) body += this.#take();
    return body;
  }

  #alternatives(): Re {
    const items = [this.#sequence()];
    while (this.#accept('|')) items.push(this.#sequence());
    return items.length === 1 ? items[0]! : { kind: 'alt', items };
  }

  #sequence(): Re {
    const items: Re[] = [];
    for (;;) {
      const next = this.#peek();
      if (next === '' || next === '|' || next === ')') return { kind: 'cat', items };
      for (const item of this.#atoms()) items.push(item);
      const last = items.pop();
      if (last !== undefined) items.push(this.#repeated(last));
    }
  }

  #repeated(item: Re): Re {
    const found = /^(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})(\??)/.exec(this.#peek(16));
    if (found === null) return item;
    const [whole, sign, low = '', comma, high = '', question] = found;
    this.#at += whole.length;
    const min = sign === undefined ? Number(low) : sign === '+' ? 1 : 0;
    const open = sign === '*' || sign === '+' || (comma !== undefined && high === '');
    const max = open ? Number.POSITIVE_INFINITY : sign === '?' ? 1 : comma === undefined ? min : Number(high);
    return { kind: 'repeat', item, min, max, lazy: (question === '?') !== this.#flags.U };
  }

  /** One atom, or the several characters of `\Q...\E`, of which a repetition takes the last. */
  #atoms(): readonly Re[] {
    const char = this.#take();
    switch (char) {
      case '(':
        return this.#group();
      case '[':
        return [this.#set(this.#class())];
      case '.':
        return [{ kind: 'set', set: this.#flags.s ? any : anyButNewline }];
      case '^':
      case '$':
        if (this.#flags.m) throw new Unsupported();
        return [{ kind: 'assert', what: char === '^' ? 'start' : 'end' }];
      case '\\':
        return this.#escape();
      default:
        return [this.#literal(char)];
    }
  }

  #group(): readonly Re[] {
    const outer = this.#flags;
    let captures = true;
    if (this.#accept('?P<') || this.#accept('?<')) this.#until('>');
    else if (this.#accept('?')) {
      captures = false;
      if (this.#setFlags()) return [];
    }
    const item = this.#alternatives();
    if (this.#take() !== ')') throw new Unsupported();
    this.#flags = outer;
    return [captures ? { kind: 'capture', item } : item];
  }

  /** Reads `flags:` or `flags)`; true for the latter, which holds to the end of the enclosing group. */
  #setFlags(): boolean {
    const flags = { ...this.#flags };
    let on = true;
    for (;;) {
      const char = this.#take();
      if (char === 'i' || char === 's' || char === 'm' || char === 'U') flags[char] = on;
      else if (char === '-') on = false;
      else if (char === ':' || char === ')') {
        this.#flags = flags;
        return char === ')';
      } else throw new Unsupported();
    }
  }

  #escape(): readonly Re[] {
    const char = this.#take();
    if (char === 'Q') {
      let body = '';
      while (this.#peek() !== '' && !this.#accept('\\E')) body += this.#take();
      return [...body].map((each) => this.#literal(each));
    }
    if (char === 'A') return [{ kind: 'assert', what: 'start' }];
    if (char === 'z') return [{ kind: 'assert', what: 'end' }];
    if (char === 'b' || char === 'B') return [{ kind: 'assert', what: char === 'b' ? 'word' : 'not-word' }];
    const named = this.#perl(char);
    if (named !== null) return [{ kind: 'set', set: named }];
    return [this.#literal(String.fromCodePoint(this.#escapedCode(char)))];
  }

  #perl(char: string): CharSet | null {
    const lower = char.toLowerCase();
    const set = Object.hasOwn(PERL, lower) ? PERL[lower] : undefined;
    if (set === undefined) return null;
    return char === lower ? set : complement(set);
  }

  #escapedCode(char: string): number {
    if (/[0-7]/.test(char)) {
      const digits = /^[0-7]{0,2}/.exec(this.#peek(2))?.[0] ?? '';
      this.#at += digits.length;
      return Number.parseInt(char + digits, 8);
    }
    if (char === 'x')
      return Number.parseInt(this.#accept('{') ? this.#until('}') : this.#take() + this.#take(), 16);
    if (Object.hasOwn(ESCAPES, char)) return ESCAPES[char] ?? 0;
    if (/[A-Za-z0-9]/.test(char)) throw new Unsupported();
    return char.codePointAt(0) ?? 0;
  }

  #literal(char: string): Re {
    const code = char.codePointAt(0) ?? 0;
    if (code < 128) return this.#set(single(code));
    if (this.#flags.i) throw new Unsupported();
    return { kind: 'wide', char };
  }

  #set(set: CharSet): Re {
    return { kind: 'set', set: this.#flags.i ? foldCase(set) : set };
  }

  #class(): CharSet {
    const negated = this.#accept('^');
    let set = empty;
    for (let first = true; first || this.#peek() !== ']'; first = false) set = union(set, this.#classItem());
    this.#at++;
    const folded = this.#flags.i ? foldCase(set) : set;
    return negated ? complement(folded) : folded;
  }

  #classItem(): CharSet {
    if (this.#accept('[:')) {
      const name = this.#until(':]');
      const known = name.replace('^', '');
      const set = Object.hasOwn(POSIX, known) ? POSIX[known] : undefined;
      if (set === undefined) throw new Unsupported();
      return name.startsWith('^') ? complement(set) : set;
    }
    const char = this.#take();
    const next = this.#peek();
    const named = char === '\\' ? this.#perl(next) : null;
    if (named !== null) {
      this.#at++;
      return named;
    }
    const low = this.#classCode(char);
    const isRange = this.#peek() === '-' && this.#peek(2) !== '-]';
    if (!isRange) return this.#codes(low, low);
    this.#at++;
    return this.#codes(low, this.#classCode(this.#take()));
  }

  #classCode(char: string): number {
    return char === '\\' ? this.#escapedCode(this.#take()) : (char.codePointAt(0) ?? 0);
  }

  #codes(low: number, high: number): CharSet {
    if (high < 128) return between(low, high);
    if (low > 128 || high < 0x10ffff) throw new Unsupported();
    return { ...between(low, 127), high: true };
  }
}
