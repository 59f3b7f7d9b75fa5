import type { Conjunction, Route, Subject } from './model.ts';
import { literalLength } from './pattern.ts';

/** How well a conjunction pins down one part of the request: class first, then length. */
export interface Precision {
  readonly form: 'literal' | 'pattern' | 'regexp' | 'none';
  /** Characters of the text or regular expression; of a pattern, those that are not in placeholders. */
  readonly length: number;
  /** Of a pattern: how much its loosest placeholder takes. 0 digits, 1 a run, 2 everything. */
  readonly looseness: number;
}

export interface Rank {
  readonly host: Precision;
  readonly path: Precision;
  readonly conditions: number;
}

/** One conjunction of one frontend's route: a rule of the gateway. */
export interface Ranked extends RoutedFrontend {
  /** Index into `route.conjunctions`. */
  readonly index: number;
  readonly conjunction: Conjunction;
  readonly rank: Rank;
}

export interface RoutedFrontend {
  readonly id: string;
  readonly route: Route;
  /** Where two rules are for the same host, the smaller one goes first. 0 where it is absent. */
  readonly yields?: number;
}

const NONE: Precision = { form: 'none', length: 0, looseness: 0 };
const LOOSENESS = { text: 0, int: 0, string: 1, path: 2 } as const;
/** For hosts a pattern and a regular expression are equal. */
const HOST_FORMS = { literal: 0, pattern: 1, regexp: 1, none: 2 } as const;
const PATH_FORMS = { literal: 0, pattern: 1, regexp: 2, none: 3 } as const;

/** How precise a conjunction is. Negated conditions only count as conditions. */
export function rank(conjunction: Conjunction): Rank {
  return {
    host: precision(conjunction, 'host', HOST_FORMS),
    path: precision(conjunction, 'path', PATH_FORMS),
    conditions: conjunction.length,
  };
}

type Forms = Readonly<Record<Precision['form'], number>>;

function precision(conjunction: Conjunction, kind: Subject['kind'], forms: Forms): Precision {
  let best = NONE;
  for (const { matcher, negated } of conjunction) {
    if (negated || matcher.kind !== kind) continue;
    const pattern = matcher.form === 'pattern';
    const found: Precision = {
      form: matcher.form,
      length: pattern ? literalLength(matcher) : matcher.value.length,
      looseness: pattern ? Math.max(...matcher.parts.map((part) => LOOSENESS[part.kind])) : 0,
    };
    if (comparePrecision(found, best, forms) < 0) best = found;
  }
  return best;
}

function comparePrecision(a: Precision, b: Precision, forms: Forms): number {
  return forms[a.form] - forms[b.form] || b.length - a.length || a.looseness - b.looseness;
}

/** What decides between two rules, most important first; each compares so that the better one is smaller. */
const CRITERIA: readonly { readonly name: string; readonly compare: (a: Ranked, b: Ranked) => number }[] = [
  { name: 'host', compare: (a, b) => comparePrecision(a.rank.host, b.rank.host, HOST_FORMS) },
  { name: 'yields', compare: (a, b) => yieldsOf(a) - yieldsOf(b) },
  { name: 'path', compare: (a, b) => comparePrecision(a.rank.path, b.rank.path, PATH_FORMS) },
  { name: 'conditions', compare: (a, b) => b.rank.conditions - a.rank.conditions },
  { name: 'text', compare: (a, b) => compareText(b.route.text, a.route.text) },
  { name: 'id', compare: (a, b) => compareText(a.id, b.id) },
  { name: 'index', compare: (a, b) => a.index - b.index },
];

/** A rule for an exact path keeps its place: proxies look all exact paths of a host up at once, before the rest. */
const yieldsOf = ({ yields = 0, rank: { path } }: Ranked): number => (path.form === 'literal' ? 0 : yields);

/** Total order, the rule that wins first: smaller than 0 where `a` goes before `b`. */
export function compareRanked(a: Ranked, b: Ranked): number {
  for (const { compare } of CRITERIA) {
    const order = compare(a, b);
    if (order !== 0) return order;
  }
  return 0;
}

/** The criterion that lets one rule go before another. */
export function decidedBy(a: Ranked, b: Ranked): string {
  return CRITERIA.find(({ compare }) => compare(a, b) !== 0)?.name ?? 'nothing';
}

/** All rules of all frontends, in the order in which the first that matches a request wins. */
export function rules(frontends: readonly RoutedFrontend[]): readonly Ranked[] {
  return frontends
    .flatMap((frontend) =>
      frontend.route.conjunctions.map((conjunction, index) => ({
        ...frontend,
        index,
        conjunction,
        rank: rank(conjunction),
      })),
    )
    .sort(compareRanked);
}

/** Order by code points, which is the order of the UTF-8 bytes and so Go's. */
function compareText(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}
