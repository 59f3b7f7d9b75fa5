import type { RE2JS } from 're2js';
import type { Condition, Expression, Matcher, Request, Route } from './model.ts';
import { matchesPattern } from './pattern.ts';
import { compileRegexp } from './regexp.ts';

const compiled = new WeakMap<Matcher, RE2JS>();

/** Whether the route matches the request. Takes time linear in the request and the route's regular expressions. */
export function matches(route: Route, request: Request): boolean {
  return holds(route.expression, request);
}

/** Whether a single condition holds. */
export function conditionHolds({ matcher, negated }: Condition, request: Request): boolean {
  return matcherHolds(matcher, request) !== negated;
}

function holds(expression: Expression, request: Request): boolean {
  switch (expression.kind) {
    case 'matcher':
      return matcherHolds(expression.matcher, request);
    case 'not':
      return !holds(expression.part, request);
    case 'and':
      return expression.parts.every((part) => holds(part, request));
    case 'or':
      return expression.parts.some((part) => holds(part, request));
  }
}

function matcherHolds(matcher: Matcher, request: Request): boolean {
  const subject = subjectOf(matcher, request);
  switch (matcher.form) {
    case 'literal':
      return subject === matcher.value;
    case 'pattern':
      return matchesPattern(matcher, matcher.kind, subject);
    case 'regexp':
      return regexpOf(matcher, matcher.value).test(subject);
  }
}

function subjectOf(matcher: Matcher, request: Request): string {
  if (matcher.kind !== 'header') return request[matcher.kind];
  const { headers } = request;
  return Object.hasOwn(headers, matcher.header) ? (headers[matcher.header] ?? '') : '';
}

function regexpOf(matcher: Matcher, text: string): RE2JS {
  const known = compiled.get(matcher);
  if (known !== undefined) return known;
  const fresh = compileRegexp(text);
  if (typeof fresh === 'string') throw new Error(`not a regular expression: ${fresh}`);
  compiled.set(matcher, fresh);
  return fresh;
}
