import { RE2JS } from 're2js';
import type { Rewrite } from '../../../traffic/index.ts';
import { toPcre } from '../regexp/pcre.ts';
import { argument, header, quote, Unservable } from './quote.ts';
import { when } from './text.ts';

/**
 * The rules of a rewrite: its regular expression sees `scheme://host/path?query`, and of what comes out the path and the
 * query are used, or all of it as the Location of a 302. The scheme is also https if X-Forwarded-Proto is, from any
 * client: behind a TLS terminator, a redirect to https would otherwise never end. @throws Unservable where HAProxy cannot do that.
 */
export function rewriteRules({ Middleware }: Rewrite, mine: string): string[] {
  const { Regexp, Replacement, Redirect } = Middleware;
  if (Regexp === '') return [];
  const { pieces, headers } = readTemplate(Replacement);
  const regexp = toPcre(Regexp);
  if (regexp === null)
    throw new Unservable(`HAProxy cannot match the regular expression ${JSON.stringify(Regexp)}`);
  const words = pieces.map((piece) => substitution(Regexp, escapeBlanks(piece)));
  const substitute = `regsub(${argument(regexp)},${argument(words.join(GAP))}${headers.length === 0 ? ',g' : ''})`;
  const changed = '!{ var(txn.to),strcmp(txn.from) eq 0 }';
  const behindTls = '{ req.fhdr(x-forwarded-proto,1) -m str https }';
  const rules = [
    `http-request set-var(txn.scheme) ssl_fc,iif(https,http)${when(mine)}`,
    `http-request set-var(txn.scheme) str(https)${when(mine, behindTls)}`,
    `http-request set-var-fmt(txn.from) ${quote('%[var(txn.scheme)]://%[req.fhdr(host,1)]%[pathq]')}${when(mine)}`,
    `http-request set-var(txn.to) ${quote(`var(txn.from),${substitute}`)}${when(mine)}`,
    ...fillGaps(headers, mine),
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

/** No URL contains a blank, so one can mark where a header's value goes. */
const GAP = ' ';

const HEADER_VALUE = /\{\{ *\.Request\.Header\.Get +["`]([A-Za-z0-9-]+)["`] *\}\}/;

/** Text, header, text, header, text. @throws Unservable for anything in Go's templates but headers. */
function readTemplate(replacement: string): { pieces: readonly string[]; headers: readonly string[] } {
  const parts = replacement.split(HEADER_VALUE);
  const pieces = parts.filter((_, at) => at % 2 === 0);
  const headers = parts.filter((_, at) => at % 2 === 1);
  if (pieces.some((piece) => piece.includes('{{')))
    throw new Unservable('of templates in Replacement only {{.Request.Header.Get "NAME"}} is supported');
  return { pieces, headers };
}

/** Escapes what a request line cannot hold, as Go does. */
const escapeBlanks = (text: string): string =>
  text.replace(/[^!-~]+/g, (found) =>
    [...new TextEncoder().encode(found)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );

function fillGaps(headers: readonly string[], mine: string): string[] {
  if (headers.length === 0) return [];
  const values = headers.flatMap((name, at) => [
    `http-request unset-var(txn.value${at})${when(mine)}`,
    `http-request set-var(txn.value${at}) ${header('req', name)},regsub(${quote(argument('[^!-~]'))},%20,g)${when(mine)}`,
  ]);
  const field = (at: number): string => `%[var(txn.to),field(${at},${argument(GAP)})]`;
  const filled = [field(1), ...headers.map((_, at) => `%[var(txn.value${at})]${field(at + 2)}`)].join('');
  return [
    ...values,
    `http-request set-var-fmt(txn.to) ${quote(filled)}${when(mine, `{ var(txn.to) -m sub -- ${quote(GAP)} }`)}`,
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
    if (group > 9) throw new Unservable(`HAProxy has only nine groups, so there is no $${name}`);
    return `\\${group}`;
  });
}
