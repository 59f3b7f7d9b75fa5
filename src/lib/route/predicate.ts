import { ClusterError } from '../error.ts';
import { type Comparison, type Node, parseExpression } from './expression.ts';
import { complain, type Language, quote } from './language.ts';
import { compareNumbers, needPlain } from './logic.ts';

/** What vulcand uses where a frontend has no predicate. */
export const DEFAULT_FAILOVER = 'IsNetworkError() && RequestMethod() == "GET" && Attempts() < 2';

/** vulcand never sends a request more often than this, whatever the predicate says. */
export const MAX_FAILOVER_ATTEMPTS = 11;

export type Predicate =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Predicate[] }
  | { readonly kind: 'network-error' }
  | { readonly kind: 'method'; readonly operator: '==' | '!='; readonly value: string }
  | { readonly kind: 'attempts' | 'status'; readonly operator: Comparison; readonly value: number };

/** How the last attempt ended. */
export interface Attempt {
  /** For vulcand: the status was 502 or 504, whoever sent it. */
  readonly networkError: boolean;
  /** Attempts so far, 1 after the first. */
  readonly attempts: number;
  readonly method: string;
  /** Status of the answer; 0 = there was none. */
  readonly status: number;
}

const LANGUAGE: Language = {
  name: 'failover predicate',
  operand: 'a function such as Attempts()',
  error: (message) =>
    new ClusterError('predicate-syntax', message, { hint: `a predicate looks like ${DEFAULT_FAILOVER}` }),
};

const FUNCTIONS = ['IsNetworkError', 'Attempts', 'RequestMethod', 'ResponseCode'];

/** Reads a failover predicate. Throws `predicate-syntax` with the place and what is wrong there. */
export function parsePredicate(text: string): Predicate {
  const parsed = parseExpression(text, LANGUAGE);
  needPlain(LANGUAGE, text, parsed);
  return read(text, parsed.node);
}

/** Whether to send the request again. */
export function evaluatePredicate(predicate: Predicate, attempt: Attempt): boolean {
  switch (predicate.kind) {
    case 'and':
      return predicate.parts.every((part) => evaluatePredicate(part, attempt));
    case 'or':
      return predicate.parts.some((part) => evaluatePredicate(part, attempt));
    case 'network-error':
      return attempt.networkError;
    case 'method':
      return (attempt.method === predicate.value) === (predicate.operator === '==');
    default:
      return compareNumbers(attempt[predicate.kind], predicate.operator, predicate.value);
  }
}

function read(text: string, node: Node): Predicate {
  if (node.kind === 'and' || node.kind === 'or')
    return { kind: node.kind, parts: node.parts.map((part) => read(text, part)) };
  if (node.kind === 'compare') return readComparison(text, node);
  if (node.kind !== 'call') throw complain(LANGUAGE, text, node.at, 'a value alone says nothing');
  const name = functionName(text, node);
  if (name === 'IsNetworkError') return { kind: 'network-error' };
  throw complain(LANGUAGE, text, node.at, `${name}() must be compared with something`);
}

function readComparison(text: string, node: Extract<Node, { kind: 'compare' }>): Predicate {
  const { operator, left, right } = node;
  if (left.kind !== 'call')
    throw complain(LANGUAGE, text, left.at, `the left of ${operator} must be a function`);
  const name = functionName(text, left);
  if (name === 'IsNetworkError')
    throw complain(
      LANGUAGE,
      text,
      node.at,
      'IsNetworkError() is true or false already, it cannot be compared',
    );
  if (name === 'RequestMethod') {
    if (operator !== '==' && operator !== '!=')
      throw complain(LANGUAGE, text, node.at, 'methods are compared with == and != only');
    if (right.kind !== 'string') throw complain(LANGUAGE, text, right.at, 'expected a string such as "GET"');
    return { kind: 'method', operator, value: right.value };
  }
  if (right.kind !== 'int') throw complain(LANGUAGE, text, right.at, 'expected a whole number');
  return { kind: name === 'Attempts' ? 'attempts' : 'status', operator, value: right.value };
}

function functionName(text: string, { name, args, at }: Extract<Node, { kind: 'call' }>): string {
  if (!FUNCTIONS.includes(name))
    throw complain(LANGUAGE, text, at, `no function ${quote(name)}; there are ${FUNCTIONS.join(', ')}`);
  if (args.length > 0) throw complain(LANGUAGE, text, args[0]?.at ?? at, `${name}() takes no arguments`);
  return name;
}
