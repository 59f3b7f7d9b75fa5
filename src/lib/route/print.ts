import { goQuote } from './literal.ts';
import type { Condition, Conjunction, Expression, Matcher, Route, Subject } from './model.ts';

const NAMES: Readonly<Record<Subject['kind'], string>> = {
  host: 'Host',
  path: 'Path',
  method: 'Method',
  header: 'Header',
};

/** The route as text that `parseRoute` reads to the same expression. */
export function printRoute({ expression }: Route): string {
  return printExpression(expression);
}

/** Such as `Host("shop.example")`. */
export function printMatcher(matcher: Matcher): string {
  const name = `${NAMES[matcher.kind]}${matcher.form === 'regexp' ? 'Regexp' : ''}`;
  const values = matcher.kind === 'header' ? [matcher.header, matcher.value] : [matcher.value];
  return `${name}(${values.map(goQuote).join(', ')})`;
}

/** Such as `Host("shop.example") && !Method("GET")`. */
export function printConjunction(conjunction: Conjunction): string {
  return conjunction.map(printCondition).join(' && ');
}

function printCondition({ matcher, negated }: Condition): string {
  return `${negated ? '!' : ''}${printMatcher(matcher)}`;
}

function printExpression(expression: Expression): string {
  switch (expression.kind) {
    case 'matcher':
      return printMatcher(expression.matcher);
    case 'not':
      return `!${bracketed(expression.part)}`;
    case 'and':
      return expression.parts.map(bracketed).join(' && ');
    case 'or':
      return expression.parts
        .map((part) => (part.kind === 'or' ? bracketed(part) : printExpression(part)))
        .join(' || ');
  }
}

function bracketed(expression: Expression): string {
  const alone = expression.kind === 'matcher' || expression.kind === 'not';
  return alone ? printExpression(expression) : `(${printExpression(expression)})`;
}
