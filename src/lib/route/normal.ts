import { ClusterError } from '../error.ts';
import type { Condition, Conjunction, Expression, Matcher, Route } from './model.ts';

/** Most conjunctions that a route may become; each is a rule in the gateway. */
export const MAX_CONJUNCTIONS = 64;

/** The disjunctive normal form: the route matches where one of these conjunctions does. */
export function conjunctions(route: Route): readonly Conjunction[] {
  return route.conjunctions;
}

/** One text for matchers that ask the same. */
export function matcherKey(matcher: Matcher): string {
  const { kind, form, value } = matcher;
  return JSON.stringify([kind, kind === 'header' ? matcher.header : '', form, value]);
}

/** Conditions by key, so that one that is said twice counts once. */
type Draft = ReadonlyMap<string, Condition>;

/**
 * The disjunctive normal form: no condition twice in a conjunction, none with its opposite, no conjunction twice.
 * Throws `route-too-large` where more than `MAX_CONJUNCTIONS` are left.
 */
export function normalForm(expression: Expression): readonly Conjunction[] {
  return expand(expression, false).map((draft) => [...draft.values()]);
}

function expand(expression: Expression, negated: boolean): readonly Draft[] {
  if (expression.kind === 'not') return expand(expression.part, !negated);
  if (expression.kind === 'matcher') {
    const { matcher } = expression;
    return [new Map([[matcherKey(matcher), { matcher, negated }]])];
  }
  const parts = expression.parts.map((part) => expand(part, negated));
  // De Morgan: a negated "and" is an "or" of the negated parts.
  if ((expression.kind === 'or') !== negated) return bounded(distinct(parts.flat()));
  return parts.reduce<readonly Draft[]>(
    (heads, part) => bounded(distinct(product(heads, part))),
    [new Map()],
  );
}

function product(heads: readonly Draft[], tails: readonly Draft[]): readonly Draft[] {
  return heads.flatMap((head) => tails.flatMap((tail) => both(head, tail) ?? []));
}

/** Null where the two contradict each other. */
function both(head: Draft, tail: Draft): Draft | null {
  const joined = new Map(head);
  for (const [key, condition] of tail) {
    if (joined.has(key) && joined.get(key)?.negated !== condition.negated) return null;
    joined.set(key, condition);
  }
  return joined;
}

function distinct(drafts: readonly Draft[]): readonly Draft[] {
  const seen = new Map<string, Draft>();
  for (const draft of drafts) {
    const key = [...draft]
      .map(([text, { negated }]) => `${negated ? '!' : ''}${text}`)
      .sort()
      .join('\n');
    if (!seen.has(key)) seen.set(key, draft);
  }
  return [...seen.values()];
}

function bounded(drafts: readonly Draft[]): readonly Draft[] {
  if (drafts.length <= MAX_CONJUNCTIONS) return drafts;
  throw new ClusterError(
    'route-too-large',
    `the route stands for more than ${MAX_CONJUNCTIONS} alternatives`,
    {
      hint: 'use fewer || inside &&, one ...Regexp for several values, or several frontends',
    },
  );
}
