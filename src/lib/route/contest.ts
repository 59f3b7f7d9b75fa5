import { compareRanked, type Ranked, type RoutedFrontend, rules } from './rank.ts';
import { exactHost } from './universal.ts';

/** A frontend that yields to another one which is for the same host. */
export interface Contest {
  readonly id: string;
  readonly winner: string;
  readonly host: string;
  /** The winner takes all requests of that host, so none is left. */
  readonly whole: boolean;
  /** Both would yield to a third: the order of their ids or routes decides. */
  readonly equals: boolean;
}

interface Claim {
  readonly rule: Ranked;
  readonly whole: boolean;
}

/**
 * Which frontends with `yields` are for the exact host of another one that goes before them. One that yields more than
 * another of its kind (its backend has no server) is not mentioned.
 */
export function contests(frontends: readonly RoutedFrontend[]): Contest[] {
  if (!frontends.some(({ yields = 0 }) => yields > 0)) return [];
  const claims = new Map<string, Claim[]>();
  for (const rule of rules(frontends)) {
    const found = exactHost(rule.conjunction);
    if (found !== null)
      claims.set(found.host, [...(claims.get(found.host) ?? []), { rule, whole: found.whole }]);
  }
  const out: Contest[] = [];
  for (const [host, all] of claims) {
    if (all.length === 1) continue;
    for (const { rule } of all) {
      const { id, yields = 0 } = rule;
      const before = yields === 0 ? [] : all.filter((other) => goesBefore(other.rule, rule));
      const winner = before.find(({ whole }) => whole) ?? before[0];
      if (winner === undefined) continue;
      const { id: first, yields: its = 0 } = winner.rule;
      out.push({ id, winner: first, host, whole: winner.whole, equals: its > 0 });
    }
  }
  return out;
}

function goesBefore(other: Ranked, rule: Ranked): boolean {
  const { yields: its = 0 } = other;
  const { yields: own = 0 } = rule;
  return other.id !== rule.id && (its === 0 || its === own) && compareRanked(other, rule) < 0;
}
