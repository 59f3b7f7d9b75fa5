import { contests, type Ranked, type Route, type RoutedFrontend, rules } from '../../../route/index.ts';
import { contestText } from '../../../traffic/index.ts';
import type { Note } from '../../model.ts';
import { encodeName } from '../names.ts';
import { Acls, HOST, HOST_FETCH, PATH } from './acl.ts';
import type { Memo } from './memo.ts';
import { isMapKey, quote, Unservable } from './quote.ts';
import { type Lookup, lookupOf } from './simple.ts';
import { FEW, when } from './text.ts';

/** How HAProxy finds the frontend that serves a request: `txn.fe` is its name afterwards, or is not set. */
export interface Routing {
  readonly lines: readonly string[];
  /** `HOST/PATH`, `/PATH` for any host -> name. */
  readonly paths: ReadonlyMap<string, string>;
  /** `HOST`, `*` for any host -> name. */
  readonly hosts: ReadonlyMap<string, string>;
  /** `HOST` -> number that its rules compare. */
  readonly numbers: ReadonlyMap<string, string>;
  readonly leftOut: readonly Note[];
  readonly notes: readonly Note[];
}

export const PATHS_MAP = 'paths.map';
export const HOSTS_MAP = 'hosts.map';
export const NUMBERS_MAP = 'numbers.map';

/** A condition has at most 64 words, the action's own among them. */
const MAX_WORDS = 50;

interface Rule extends Lookup {
  readonly id: string;
}

/** The rules for one exact host (null: for any other), the one that wins first. */
interface Group {
  readonly host: string | null;
  readonly rules: Rule[];
}

/** What of a group is looked up in maps, and the rules before and after that. */
interface Sorted {
  readonly before: readonly Rule[];
  readonly paths: ReadonlyMap<string, string>;
  readonly after: readonly Rule[];
  /** What serves everything else for this host. */
  readonly whole: string | null;
}

/**
 * Rules in the order of the route room's ranks. Plain ones (a host, a host and a path, a path) are entries of two maps,
 * however many there are, and can change while HAProxy runs; the others are rules, tested only for their own host.
 */
export function routing(frontends: readonly RoutedFrontend[], memo: Memo): Routing {
  // Most changes of the registry leave all routes as they are.
  return memo.latest(arrange, frontends, isSame);
}

function isSame(before: readonly RoutedFrontend[], now: readonly RoutedFrontend[]): boolean {
  if (before.length !== now.length) return false;
  return now.every(({ id, route, yields }, index) => {
    const other = before[index];
    return other?.id === id && other.route === route && other.yields === yields;
  });
}

function arrange(frontends: readonly RoutedFrontend[], memo: Memo): Routing {
  const leftOut: Note[] = [];
  const served = frontends.filter(({ id, route }) => {
    const fault = memo.call(faultOf, route);
    if (fault !== null) leftOut.push({ object: `frontend ${id}`, message: fault });
    return fault === null;
  });
  const { exact, others } = grouped(rules(served));
  const acls = new Acls();
  const paths = new Map<string, string>();
  const hosts = new Map<string, string>();
  const first: string[] = [];
  const second: string[] = [];
  const sorted = exact.map((group) => ({ host: group.host ?? '', ...sort(group) }));
  const numbers = numbered(sorted.filter(({ before, after }) => before.length + after.length > 0));
  for (const { host, ...group } of sorted) {
    const chosen = (rule: Rule): string => choose(acls, rule, hostWord(acls, host, numbers.get(host)));
    first.push(...group.before.map(chosen));
    second.push(...group.after.map(chosen));
    for (const [path, id] of group.paths)
      if (isMapKey(host + path) && !host.includes('/')) paths.set(host + path, encodeName(id));
    if (group.whole !== null && isMapKey(host)) hosts.set(host, encodeName(group.whole));
  }
  const rest = sort(others);
  for (const [path, id] of rest.paths) if (isMapKey(path)) paths.set(path, encodeName(id));
  if (rest.whole !== null) hosts.set('*', encodeName(rest.whole));
  const lines = [
    ...(numbers.size > 0 ? [`http-request set-var(txn.number) ${HOST},map_str_int(${NUMBERS_MAP})`] : []),
    ...(first.length + second.length + paths.size > 0 ? byPath(first, second, paths.size > 0) : BY_HOST),
    ...rest.before.map((rule) => choose(acls, rule, '')),
    ...(rest.paths.size > 0 ? [`http-request set-var(txn.fe) ${PATH},map_str(${PATHS_MAP})${OPEN}`] : []),
    ...rest.after.map((rule) => choose(acls, rule, '')),
    ...(rest.whole !== null ? [`http-request set-var(txn.fe) str(*),map_str(${HOSTS_MAP})${OPEN}`] : []),
  ];
  const notes = contests(served).map((contest) => ({
    object: `frontend ${contest.id}`,
    message: contestText(contest),
  }));
  return { lines: [...acls.lines, ...lines], paths, hosts, numbers, leftOut, notes };
}

const OPEN = ' unless { var(txn.fe) -m found }';

/** Where nothing but the host matters, one look-up is all that most requests cost. */
const BY_HOST = [
  `http-request set-var(txn.fe) ${HOST_FETCH},map_str(${HOSTS_MAP})`,
  'http-request deny deny_status 400 if !{ var(txn.fe) -m found } { req.fhdr(host,1) -m sub / }',
];

/** `first` goes before the look-up of host and path, `second` after it. */
function byPath(first: readonly string[], second: readonly string[], hasPaths: boolean): string[] {
  const lookUp = `http-request set-var(txn.fe) ${HOST},concat(,txn.path),map_str(${PATHS_MAP})`;
  return [
    // Such a host could make up the key of another host's path.
    `http-request deny deny_status 400 if { ${HOST} -m sub / }`,
    ...first,
    ...(hasPaths ? [`${lookUp}${first.length > 0 ? OPEN : ''}`] : []),
    ...second,
    `http-request set-var(txn.fe) ${HOST},map_str(${HOSTS_MAP})${OPEN}`,
  ];
}

/** Why HAProxy cannot serve a route, or null. */
function faultOf(route: Route): string | null {
  if (route.conjunctions.length === 0) return 'its route never matches';
  const acls = new Acls();
  try {
    for (const conjunction of route.conjunctions) {
      if (conjunction.length > MAX_WORDS)
        throw new Unservable(
          `its route has ${conjunction.length} conditions at once, more than ${MAX_WORDS}`,
        );
      const rule = lookupOf(conjunction);
      if (rule === null) continue;
      if (rule.host !== null) hostWord(acls, rule.host, undefined);
      words(acls, rule);
    }
  } catch (error) {
    if (error instanceof Unservable) return `its route: ${error.message}`;
    throw error;
  }
  return null;
}

function grouped(ordered: readonly Ranked[]): { exact: Group[]; others: Group } {
  const exact = new Map<string, Group>();
  const others: Group = { host: null, rules: [] };
  for (const { id, conjunction } of ordered) {
    const rule = lookupOf(conjunction);
    if (rule === null) continue;
    if (rule.host === null) {
      others.rules.push({ id, ...rule });
      continue;
    }
    const group = exact.get(rule.host) ?? { host: rule.host, rules: [] };
    exact.set(rule.host, group);
    group.rules.push({ id, ...rule });
  }
  return { exact: [...exact.values()], others };
}

/**
 * Plain rules with an exact path are looked up all at once, so whatever ranks before one of them is tested before that.
 * This keeps the order: the ranks put exact paths of one host before all that has none, and a rule that asks for an
 * exact path cannot take another path's requests.
 */
function sort({ rules: ordered }: Group): Sorted {
  const end = ordered.findIndex(({ path, rest }) => path === null && rest.length === 0);
  const reached = end === -1 ? ordered : ordered.slice(0, end);
  const lastPlain = reached.findLastIndex(({ rest }) => rest.length === 0);
  const paths = new Map<string, string>();
  const before: Rule[] = [];
  const after: Rule[] = [];
  for (const [index, rule] of reached.entries()) {
    if (rule.path !== null && paths.has(rule.path)) continue;
    if (rule.path !== null && rule.rest.length === 0) paths.set(rule.path, rule.id);
    else (index < lastPlain ? before : after).push(rule);
  }
  return { before, paths, after, whole: ordered[end]?.id ?? null };
}

/** Hosts have numbers where they are many. */
function numbered(groups: readonly { readonly host: string }[]): ReadonlyMap<string, string> {
  const hosts = groups.map(({ host }) => host).filter(isMapKey);
  return new Map(hosts.length > FEW ? hosts.map((host, index) => [host, String(index)]) : []);
}

/** The condition for one host, which has this number if it has one. */
function hostWord(acls: Acls, host: string, number: string | undefined): string {
  return acls.named([
    number === undefined ? `${HOST} -m str -- ${quote(host)}` : `var(txn.number) -m int eq ${number}`,
  ]);
}

/** Chooses the rule's frontend if nothing is chosen yet; `here` is the condition for its host, '' for any. */
function choose(acls: Acls, rule: Rule, here: string): string {
  return `http-request set-var(txn.fe) str(${encodeName(rule.id)})${when(here, ...words(acls, rule))}`;
}

function words(acls: Acls, rule: Lookup): string[] {
  return [
    '!{ var(txn.fe) -m found }',
    ...(rule.path === null ? [] : [acls.named([`${PATH} -m str -- ${quote(rule.path)}`])]),
    ...rule.rest.map((condition) => acls.word(condition)),
  ];
}
