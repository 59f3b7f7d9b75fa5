import { complain, type Language, quote } from './language.ts';
import { scan, type Token } from './scan.ts';

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=';

export type Literal =
  | { readonly kind: 'string'; readonly value: string; readonly at: number }
  | { readonly kind: 'int' | 'float'; readonly value: number; readonly at: number };

/** The syntax tree of an expression, before its names are interpreted; `at` is a 0-based offset. */
export type Node =
  | Literal
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Literal[]; readonly at: number }
  | { readonly kind: 'not'; readonly operand: Node; readonly at: number }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Node[]; readonly at: number }
  | {
      readonly kind: 'compare';
      readonly operator: Comparison;
      readonly left: Node;
      readonly right: Node;
      readonly at: number;
    };

export interface Parsed {
  readonly node: Node;
  /** Offset of a line break that Go would read as the end of the expression; null = none. */
  readonly brokenAt: number | null;
  /** Whether parts are grouped by brackets. */
  readonly brackets: boolean;
}

const MAX_DEPTH = 64;
const COMPARISONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
const isComparison = (text: string): text is Comparison => COMPARISONS.includes(text);

/**
 * Reads a Go expression of calls with literal arguments, comparisons, `!`, `&&`, `||` and brackets. Throws the
 * language's error, with the place.
 */
export function parseExpression(text: string, language: Language): Parsed {
  const tokens = scan(text, language);
  let next = 0;
  let depth = 0;
  let brackets = false;
  const peek = (): Token => tokens[next]!;
  const isOperator = (wanted: string): boolean => peek().kind === 'operator' && peek().text === wanted;
  const expected = (what: string): Error => {
    const { kind, text: found, at } = peek();
    const shown = kind === 'end' ? 'the end' : quote(kind === 'string' ? text.slice(at, at + 12) : found);
    return complain(language, text, at, `expected ${what} but found ${shown}`);
  };
  const nested = <T>(read: () => T): T => {
    if (++depth > MAX_DEPTH) throw complain(language, text, peek().at, 'nested too deeply');
    const result = read();
    depth--;
    return result;
  };

  const join = (kind: 'and' | 'or', operator: string, part: () => Node): Node => {
    const { at } = peek();
    const parts = [part()];
    while (isOperator(operator)) {
      next++;
      parts.push(part());
    }
    return parts.length === 1 ? parts[0]! : { kind, parts, at };
  };
  const or = (): Node => join('or', '||', and);
  const and = (): Node => join('and', '&&', comparison);
  const comparison = (): Node => {
    let left = unary();
    for (;;) {
      const { kind, text: operator, at } = peek();
      if (kind !== 'operator' || !isComparison(operator)) return left;
      next++;
      left = { kind: 'compare', operator, left, right: unary(), at };
    }
  };
  const unary = (): Node => {
    const { at } = peek();
    if (isOperator('!')) {
      next++;
      return nested(() => ({ kind: 'not', operand: unary(), at }));
    }
    if (!isOperator('(')) return operand();
    brackets = true;
    next++;
    const inner = nested(or);
    if (!isOperator(')')) throw expected('&&, || or )');
    next++;
    return inner;
  };
  const operand = (): Node => {
    const { kind, text: name, at } = peek();
    if (kind !== 'name') return literal(language.operand);
    next++;
    if (!isOperator('(')) throw expected(`( after ${quote(name)}`);
    next++;
    const args: Literal[] = [];
    while (!isOperator(')')) {
      args.push(literal('a string or a number'));
      if (isOperator(',')) next++;
      else if (!isOperator(')')) throw expected(', or )');
    }
    next++;
    return { kind: 'call', name, args, at };
  };
  const literal = (what: string): Literal => {
    const { kind, text: written, at } = peek();
    if (kind !== 'string' && kind !== 'int' && kind !== 'float') throw expected(what);
    next++;
    if (kind === 'string') return { kind, value: written, at };
    const value = Number(written);
    if (!Number.isFinite(value) || (kind === 'int' && !Number.isSafeInteger(value)))
      throw complain(language, text, at, 'a number that is too large');
    return { kind, value, at };
  };

  const node = or();
  if (peek().kind !== 'end') throw expected('&&, || or the end');
  return { node, brokenAt: tokens.find(({ broken }) => broken)?.at ?? null, brackets };
}
