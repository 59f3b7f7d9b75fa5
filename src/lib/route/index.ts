/**
 * vulcand's route language: parse, match, rank; also failover predicates and breaker conditions. Pure: it must not
 * know frontends, gateways or a proxy's configuration.
 */
export {
  type BreakerCondition,
  type BreakerMetrics,
  evaluateCondition,
  parseCondition,
} from './condition.ts';

export { type Contest, contests } from './contest.ts';
export { hostAsSent, impossible } from './impossible.ts';

export { conditionHolds, matches } from './match.ts';
export type {
  Condition,
  Conjunction,
  Matcher,
  Request,
  Route,
} from './model.ts';
export { conjunctions, MAX_CONJUNCTIONS } from './normal.ts';
export { isVulcandRoute, parseRoute } from './parse.ts';
export {
  DEFAULT_FAILOVER,
  evaluatePredicate,
  MAX_FAILOVER_ATTEMPTS,
  type Predicate,
  parsePredicate,
} from './predicate.ts';
export { printConjunction, printRoute } from './print.ts';
export {
  compareRanked,
  type Ranked,
  type RoutedFrontend,
  rules,
} from './rank.ts';
export { requestOf } from './request.ts';
export { select } from './select.ts';
export { always } from './universal.ts';
