import type { Conjunction, Matcher } from './model.ts';

/** Regular expressions that every text without line ends matches. */
const EVERYTHING = new Set(['', '.*', '^.*', '.*$', '^.*$', '(.*)', '^(.*)$']);
/** The same for texts that begin with a slash, as paths do. */
const EVERY_PATH = new Set(['/', '^/', '/.*', '^/.*', '^/.*$', '/(.*)', '^/(.*)', '^/(.*)$', '.+', '^.+$']);

/** Whether the matcher holds for every request, for none (false), or it depends (null). */
export function always(matcher: Matcher): boolean | null {
  if (matcher.form === 'pattern' && matcher.dead) return false;
  // A host's rank depends on its matcher, even on one that every host matches.
  if (matcher.kind === 'host' || matcher.form === 'literal') return null;
  if (matcher.form === 'regexp')
    return (
      EVERYTHING.has(matcher.value) || (matcher.kind === 'path' && EVERY_PATH.has(matcher.value)) || null
    );
  const [first, ...others] = matcher.parts;
  const parts =
    matcher.kind === 'path' && first?.kind === 'text' && first.text === '/' ? others : matcher.parts;
  return (parts.length > 0 && parts.every(({ kind }) => kind === 'path')) || null;
}

/** The one exact host that a conjunction is for, and whether it takes all requests of that host; null = no such host. */
export function exactHost(
  conjunction: Conjunction,
): { readonly host: string; readonly whole: boolean } | null {
  let host: string | null = null;
  let whole = true;
  for (const { matcher, negated } of conjunction) {
    if (matcher.kind === 'host' && matcher.form === 'literal' && !negated) host = matcher.value;
    else if (always(matcher) !== !negated) whole = false;
  }
  return host === null ? null : { host, whole };
}
