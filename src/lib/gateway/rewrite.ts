import { RE2JS } from 're2js';
import { toPcre } from '../route/index.ts';
import type { Rewrite } from '../traffic/index.ts';
import { argument, quote, Unservable } from './quote.ts';
import { when } from './text.ts';

/**
 * The rules of a rewrite: its regular expression sees `scheme://host/path?query`, and of what comes out the path and the
 * query are used, or all of it as the Location of a 302. @throws Unservable where HAProxy cannot do that.
 */
export function rewriteRules({ Middleware }: Rewrite, mine: string): string[] {
  const { Regexp, Replacement, Redirect } = Middleware;
  if (Regexp === '') return [];
  if (Replacement.includes('{{')) throw new Unservable('templates in Replacement are not supported');
  const regexp = toPcre(Regexp);
  if (regexp === null)
    throw new Unservable(`HAProxy has no such regular expression as ${JSON.stringify(Regexp)}`);
  const substitute = `regsub(${argument(regexp)},${argument(substitution(Regexp, Replacement))},g)`;
  const changed = '!{ var(txn.to),strcmp(txn.from) eq 0 }';
  const rules = [
    `http-request set-var-fmt(txn.from) ${quote('%[ssl_fc,iif(https,http)]://%[req.fhdr(host,1)]%[pathq]')}${when(mine)}`,
    `http-request set-var(txn.to) ${quote(`var(txn.from),${substitute}`)}${when(mine)}`,
  ];
  if (Redirect)
    return [...rules, `http-request redirect code 302 location %[var(txn.to)]${when(mine, changed)}`];
  const origin = `regsub(${argument('^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*')},)`;
  return [
    ...rules,
    `http-request set-var(txn.target) ${quote(`var(txn.to),${origin}`)}${when(mine)}`,
    `http-request set-pathq %[var(txn.target)]${when(mine, changed, '{ var(txn.target) -m beg / }')}`,
    `http-request set-pathq /%[var(txn.target)]${when(mine, changed, '!{ var(txn.target) -m beg / }')}`,
  ];
}

/** Go's template for replacements (`$1`, `${1}`, `${name}`, `$$`) in HAProxy's words. */
export function substitution(regexp: string, replacement: string): string {
  const compiled = RE2JS.compile(regexp);
  const names = compiled.namedGroups();
  return replacement.replace(/\$\$|\$\{(\w+)\}|\$(\w+)|\\/g, (unit, braced?: string, bare?: string) => {
    if (unit === '$$') return '$';
    if (unit === '\\') return '\\\\';
    const name = braced ?? bare ?? '';
    const group = /^\d+$/.test(name) ? Number(name) : Number(names[name] ?? Number.NaN);
    // A group that does not exist is empty, as in Go.
    if (!(group <= compiled.groupCount())) return '';
    if (group > 9) throw new Unservable(`HAProxy knows nine groups, not $${name}`);
    return `\\${group}`;
  });
}
