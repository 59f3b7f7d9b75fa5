import { ClusterError } from '../error.ts';
import { type Literal, type Node, parseExpression } from './expression.ts';
import { complain, type Language, quote } from './language.ts';
import type { Expression, Matcher, Route, Subject } from './model.ts';
import { normalForm } from './normal.ts';
import { readPattern } from './pattern.ts';
import { compileRegexp, lowerRegexp } from './regexp.ts';

const LANGUAGE: Language = {
  name: 'route',
  operand: 'a matcher such as Host("...")',
  error: (message) =>
    new ClusterError('route-syntax', message, {
      hint: 'a route looks like Host("shop.example") && PathRegexp("/api/.*")',
    }),
};

interface Kind {
  readonly kind: Subject['kind'];
  readonly regexp: boolean;
}

const MATCHERS: Readonly<Record<string, Kind>> = {
  Host: { kind: 'host', regexp: false },
  HostRegexp: { kind: 'host', regexp: true },
  Path: { kind: 'path', regexp: false },
  PathRegexp: { kind: 'path', regexp: true },
  Method: { kind: 'method', regexp: false },
  MethodRegexp: { kind: 'method', regexp: true },
  Header: { kind: 'header', regexp: false },
  HeaderRegexp: { kind: 'header', regexp: true },
};

/**
 * Reads a route: vulcand's language (matchers and `&&`) and ours (`||`, `!`, brackets, line breaks anywhere). Throws
 * `route-syntax` with the place and what was expected there, or `route-too-large` where its disjunctive normal form
 * would have more than `MAX_CONJUNCTIONS`.
 */
export function parseRoute(text: string): Route {
  const { node, brokenAt, brackets } = parseExpression(text, LANGUAGE);
  const expression = read(text, node);
  const foreign = [...operators(node)];
  // Not every version of vulcand's parser takes them.
  if (brackets) foreign.push('brackets');
  if (brokenAt !== null) foreign.push('a line break before && or a bracket');
  return { text, expression, conjunctions: normalForm(expression), foreign };
}

/** Whether a real vulcand reads this route; `route.foreign` says what it cannot read. */
export function isVulcandRoute({ foreign }: Route): boolean {
  return foreign.length === 0;
}

function operators(node: Node): Set<string> {
  if (node.kind === 'not') return operators(node.operand).add('!');
  const found = new Set<string>();
  if (node.kind !== 'and' && node.kind !== 'or') return found;
  if (node.kind === 'or') found.add('||');
  for (const part of node.parts) for (const operator of operators(part)) found.add(operator);
  return found;
}

function read(text: string, node: Node): Expression {
  switch (node.kind) {
    case 'and':
    case 'or':
      return { kind: node.kind, parts: node.parts.map((part) => read(text, part)) };
    case 'not':
      return { kind: 'not', part: read(text, node.operand) };
    case 'call':
      return { kind: 'matcher', matcher: readMatcher(text, node) };
    case 'compare':
      throw complain(LANGUAGE, text, node.at, `routes do not know ${node.operator}`);
    default:
      throw complain(LANGUAGE, text, node.at, 'a value alone is no matcher');
  }
}

function readMatcher(text: string, { name, args, at }: Extract<Node, { kind: 'call' }>): Matcher {
  const found = Object.hasOwn(MATCHERS, name) ? MATCHERS[name] : undefined;
  if (found === undefined)
    throw complain(
      LANGUAGE,
      text,
      at,
      `no matcher ${quote(name)}; there are ${Object.keys(MATCHERS).join(', ')}`,
    );
  const { kind, regexp } = found;
  const wanted = kind === 'header' ? 2 : 1;
  if (args.length !== wanted)
    throw complain(
      LANGUAGE,
      text,
      at,
      `${name} takes ${wanted === 2 ? 'a header name and a value' : 'one string'}`,
    );
  const values = args.map((arg) => readString(text, name, arg));
  const last = args.at(-1)?.at ?? at;
  const value = values.at(-1) ?? '';
  const subject = kind === 'header' ? { kind, header: readHeaderName(text, args, values) } : { kind };
  if (regexp) {
    const lowered = kind === 'host' ? lowerRegexp(value) : value;
    const compiled = compileRegexp(lowered);
    if (typeof compiled === 'string') throw complain(LANGUAGE, text, last, compiled);
    return { ...subject, form: 'regexp', value: lowered };
  }
  if (value === '') throw complain(LANGUAGE, text, last, `${name} of nothing`);
  const test = readPattern(kind, kind === 'host' ? value.toLowerCase() : value);
  if (typeof test === 'string') throw complain(LANGUAGE, text, last, test);
  return { ...subject, ...test };
}

function readString(text: string, name: string, arg: Literal): string {
  if (arg.kind === 'string') return arg.value;
  throw complain(LANGUAGE, text, arg.at, `${name} takes strings, not ${arg.value}`);
}

function readHeaderName(text: string, args: readonly Literal[], values: readonly string[]): string {
  const name = values[0] ?? '';
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) return name.toLowerCase();
  throw complain(LANGUAGE, text, args[0]?.at ?? 0, `${quote(name)} is not a header name`);
}
