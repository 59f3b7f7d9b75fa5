import { conditionHolds } from './match.ts';
import type { Request } from './model.ts';
import { decidedBy, type Precision, type Ranked, type RoutedFrontend, rules } from './rank.ts';

export interface Selection {
  /** Id of the frontend that serves the request; null = none. */
  readonly winner: string | null;
  /** Ids of all frontends that match, the winner first, then as they would follow. */
  readonly matched: readonly string[];
  /** One plain sentence. */
  readonly reason: string;
}

/**
 * Which frontend serves a request, and why. Precedence: exact host, host pattern or regular expression, no host; then
 * what yields less; then exact path, path pattern, path regular expression, no path (longer text first); then more
 * conditions; then vulcand's order, reverse alphabetical by the route's text; then the smaller id.
 */
export function select(frontends: readonly RoutedFrontend[], request: Request): Selection {
  return selectRule(rules(frontends), request);
}

/** As `select`, over rules that were put in order once. */
export function selectRule(ordered: readonly Ranked[], request: Request): Selection {
  const matching = ordered.filter(({ conjunction }) =>
    conjunction.every((condition) => conditionHolds(condition, request)),
  );
  const best = new Map<string, Ranked>();
  for (const rule of matching) if (!best.has(rule.id)) best.set(rule.id, rule);
  const [winner, ...others] = best.values();
  if (winner === undefined) return { winner: null, matched: [], reason: 'no route matches' };
  return { winner: winner.id, matched: [...best.keys()], reason: explain(winner, others) };
}

function explain(winner: Ranked, others: readonly Ranked[]): string {
  const { host, path } = winner.rank;
  const found = `${describe('host', host)} and ${describe('path', path)}`;
  const [second] = others;
  if (second === undefined) return `${found}; no other matched`;
  const names = others.slice(0, 5).map(({ id }) => id);
  if (others.length > names.length) names.push(`${others.length - names.length} more`);
  const listed = `${others.length} ${others.length === 1 ? 'other' : 'others'} matched: ${names.join(', ')}`;
  return `${found}, before ${second.id} by ${advantage(winner, second)}; ${listed}`;
}

function describe(kind: 'host' | 'path', { form }: Precision): string {
  if (form === 'none') return `no ${kind}`;
  if (form === 'literal') return `exact ${kind}`;
  return form === 'pattern' ? `${kind} pattern` : `${kind} regular expression`;
}

function advantage(a: Ranked, b: Ranked): string {
  switch (decidedBy(a, b)) {
    case 'host':
      return detail('host', a.rank.host, b.rank.host);
    case 'yields':
      return (a.yields ?? 0) === 0
        ? "being an operator's, not a registrator's"
        : 'its servers: the backend of the other has none';
    case 'path':
      return detail('path', a.rank.path, b.rank.path);
    case 'conditions':
      return `more conditions (${a.rank.conditions} against ${b.rank.conditions})`;
    case 'text':
      return 'the reverse alphabetical order of the routes';
    default:
      return 'its smaller id';
  }
}

function detail(kind: 'host' | 'path', a: Precision, b: Precision): string {
  if (a.form !== b.form && !(kind === 'host' && a.form !== 'literal' && b.form !== 'none'))
    return `its ${kind} (${describe(kind, a)} before ${describe(kind, b)})`;
  return a.length !== b.length ? `its longer ${kind}` : `its narrower ${kind} placeholders`;
}
