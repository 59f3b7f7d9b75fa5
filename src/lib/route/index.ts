export {
  type BreakerCondition,
  type BreakerMetrics,
  evaluateCondition,
  parseCondition,
} from './condition.ts';
export { type Contest, contests } from './contest.ts';
export type { Comparison } from './expression.ts';
export { hostAsSent, type Impossible, impossible } from './impossible.ts';
export { MAX_EXPRESSION_LENGTH } from './language.ts';
export { conditionHolds, matches } from './match.ts';
export type {
  Condition,
  Conjunction,
  Expression,
  Matcher,
  PatternPart,
  Request,
  Route,
  Subject,
  Test,
} from './model.ts';
export { conjunctions, MAX_CONJUNCTIONS } from './normal.ts';
export { isVulcandRoute, parseRoute } from './parse.ts';
export {
  type Attempt,
  DEFAULT_FAILOVER,
  evaluatePredicate,
  MAX_FAILOVER_ATTEMPTS,
  type Predicate,
  parsePredicate,
} from './predicate.ts';
export { printConjunction, printMatcher, printRoute } from './print.ts';
export {
  compareRanked,
  type Precision,
  type Rank,
  type Ranked,
  type RoutedFrontend,
  rank,
  rules,
} from './rank.ts';
export { hostName, type RawRequest, requestOf } from './request.ts';
export { type Selection, select, selectRule } from './select.ts';
export { always, exactHost } from './universal.ts';
