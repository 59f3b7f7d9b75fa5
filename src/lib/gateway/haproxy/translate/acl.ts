/**
 * The registry's traffic as HAProxy's configuration, maps and server pools. Pure: it must not keep state between
 * calls; what may be reused comes in as a memo.
 */
import { type Condition, conditionHolds, type Matcher } from '../../../route/index.ts';
import { toPcre } from '../regexp/pcre.ts';
import { header, headerCount, quote, Unservable } from './quote.ts';

/** Variables that a request has before the first route is looked at; an absent Host header is ''. */
export const HOST = 'var(txn.host)';
export const PATH = 'var(txn.path)';
/** What HOST is made of. */
export const HOST_FETCH = 'req.fhdr(host,1),host_only';

/** Rules that set HOST and PATH, each only if one of these lines reads it: they cost every request some time. */
export function variableRules(lines: readonly string[]): string[] {
  const rules: string[] = [];
  const read = (variable: string): boolean => lines.some((line) => line.includes(variable));
  const set = (variable: string, value: string, otherwise: string): number =>
    rules.push(
      `http-request set-var(${variable}) ${value}`,
      `http-request set-var(${variable}) str(${otherwise}) unless { var(${variable}) -m found }`,
    );
  if (read('txn.host')) set('txn.host', HOST_FETCH, '');
  if (read('txn.path')) set('txn.path', 'path', '/');
  return rules;
}

const NOTHING = { method: '', host: '', path: '', headers: {} };

/**
 * HAProxy's ACLs for matchers. They have names because a rule has room for only 64 words; rules with the same test share
 * one.
 */
export class Acls {
  readonly lines: string[] = [];
  readonly #names = new Map<string, string>();
  readonly #prefix: string;

  /** `prefix` keeps the names of several collections in one section apart. */
  constructor(prefix = 'a') {
    this.#prefix = prefix;
  }

  /** A condition as a word after `if`. @throws Unservable for one that HAProxy cannot test. */
  word(condition: Condition): string {
    const name = this.named(matcherTests(condition.matcher));
    return condition.negated ? `!${name}` : name;
  }

  /** The name of an ACL that holds where one of these tests does. */
  named(tests: readonly string[]): string {
    const key = tests.join('\n');
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const name = `${this.#prefix}${this.#names.size + 1}`;
    this.#names.set(key, name);
    for (const test of tests) this.lines.push(`acl ${name} ${test}`);
    return name;
  }
}

/** Tests of which one must hold for the matcher to hold. */
function matcherTests(matcher: Matcher): string[] {
  const tests = [`${fetchOf(matcher)} ${pattern(matcher)}`];
  // HAProxy's test of an absent header is always false, while vulcand treats it as an empty one.
  if (matcher.kind === 'header' && conditionHolds({ matcher, negated: false }, NOTHING))
    tests.push(`${headerCount(matcher.header)} eq 0`);
  return tests;
}

function fetchOf(matcher: Matcher): string {
  switch (matcher.kind) {
    case 'host':
      return HOST;
    case 'path':
      return PATH;
    case 'method':
      return 'method';
    case 'header':
      return header('req', matcher.header);
  }
}

function pattern(matcher: Matcher): string {
  if (matcher.form === 'literal')
    return matcher.value === '' ? '-m len 0' : `-m str -- ${quote(matcher.value)}`;
  const regexp = toPcre(matcher.form === 'pattern' ? matcher.regexp : matcher.value);
  if (regexp === null)
    throw new Unservable(`HAProxy cannot match the regular expression ${JSON.stringify(matcher.value)}`);
  return `-m reg -- ${quote(regexp)}`;
}
