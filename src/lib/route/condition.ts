import { ClusterError } from '../error.ts';
import { type Comparison, type Literal, type Node, parseExpression } from './expression.ts';
import { complain, type Language, quote } from './language.ts';
import { compareNumbers, needPlain } from './logic.ts';

export type BreakerCondition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly BreakerCondition[] }
  | { readonly kind: 'network-error-ratio'; readonly operator: Comparison; readonly value: number }
  | {
      readonly kind: 'latency';
      /** Percentile, 0 to 100. */
      readonly quantile: number;
      readonly operator: Comparison;
      /** Milliseconds. */
      readonly value: number;
    }
  | {
      readonly kind: 'code-ratio';
      /** Responses with a status in [a, b) divided by responses with a status in [c, d). */
      readonly codes: readonly [a: number, b: number, c: number, d: number];
      readonly operator: Comparison;
      readonly value: number;
    };

/** What a breaker measured in its window. Ratios are 0 to 1. */
export interface BreakerMetrics {
  readonly networkErrorRatio: number;
  /** Milliseconds at a percentile (0 to 100); fractions are cut off, as in vulcand. */
  readonly latencyMs: (quantile: number) => number;
  readonly codeRatio: (a: number, b: number, c: number, d: number) => number;
}

const LANGUAGE: Language = {
  name: 'circuit breaker condition',
  operand: 'a function such as NetworkErrorRatio()',
  error: (message) =>
    new ClusterError('condition-syntax', message, {
      hint: 'a condition looks like NetworkErrorRatio() > 0.5 || LatencyAtQuantileMS(50.0) > 500',
    }),
};

const FUNCTIONS = ['NetworkErrorRatio', 'LatencyAtQuantileMS', 'ResponseCodeRatio'];

/**
 * Reads a circuit breaker's condition. Throws `condition-syntax`; number types are vulcand's, so latencies are compared
 * with whole numbers and ratios with decimals (`1.0`, not `1`).
 */
export function parseCondition(text: string): BreakerCondition {
  const parsed = parseExpression(text, LANGUAGE);
  needPlain(LANGUAGE, text, parsed);
  return read(text, parsed.node);
}

/** Whether the breaker trips. */
export function evaluateCondition(condition: BreakerCondition, metrics: BreakerMetrics): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => evaluateCondition(part, metrics));
    case 'or':
      return condition.parts.some((part) => evaluateCondition(part, metrics));
    default:
      return compareNumbers(measure(condition, metrics), condition.operator, condition.value);
  }
}

type Measured = Exclude<BreakerCondition, { kind: 'and' | 'or' }>;

function measure(condition: Measured, metrics: BreakerMetrics): number {
  switch (condition.kind) {
    case 'network-error-ratio':
      return metrics.networkErrorRatio;
    case 'latency':
      return Math.trunc(metrics.latencyMs(condition.quantile));
    case 'code-ratio':
      return metrics.codeRatio(...condition.codes);
  }
}

function read(text: string, node: Node): BreakerCondition {
  if (node.kind === 'and' || node.kind === 'or')
    return { kind: node.kind, parts: node.parts.map((part) => read(text, part)) };
  if (node.kind !== 'compare')
    throw complain(LANGUAGE, text, node.at, 'expected a comparison such as NetworkErrorRatio() > 0.5');
  const { operator, left, right } = node;
  if (left.kind !== 'call')
    throw complain(LANGUAGE, text, left.at, `the left of ${operator} must be a function`);
  switch (left.name) {
    case 'NetworkErrorRatio':
      numbers(text, left, 'int', 0);
      return { kind: 'network-error-ratio', operator, value: number(text, right, 'float') };
    case 'LatencyAtQuantileMS': {
      const [quantile = 0] = numbers(text, left, 'float', 1);
      return { kind: 'latency', quantile, operator, value: number(text, right, 'int') };
    }
    case 'ResponseCodeRatio': {
      const [a = 0, b = 0, c = 0, d = 0] = numbers(text, left, 'int', 4);
      return { kind: 'code-ratio', codes: [a, b, c, d], operator, value: number(text, right, 'float') };
    }
    default:
      throw complain(
        LANGUAGE,
        text,
        left.at,
        `no function ${quote(left.name)}; there are ${FUNCTIONS.join(', ')}`,
      );
  }
}

function numbers(
  text: string,
  call: Extract<Node, { kind: 'call' }>,
  kind: 'int' | 'float',
  count: number,
): number[] {
  const { name, args, at } = call;
  if (args.length !== count)
    throw complain(LANGUAGE, text, at, `${name} takes ${count} argument${count === 1 ? '' : 's'}`);
  return args.map((arg) => number(text, arg, kind));
}

function number(text: string, node: Node | Literal, kind: 'int' | 'float'): number {
  if (node.kind === kind) return node.value;
  const wanted = kind === 'int' ? 'a whole number such as 50' : 'a decimal number such as 0.5';
  throw complain(LANGUAGE, text, node.at, `expected ${wanted}`);
}
