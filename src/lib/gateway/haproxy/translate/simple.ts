import type { Condition, Conjunction, Matcher } from '../../../route/index.ts';

/** A conjunction, split into what maps can look up and the rest. */
export interface Lookup {
  /** The one host it is for; null = not one exact host. */
  readonly host: string | null;
  /** The one path it is for; null = not one exact path. */
  readonly path: string | null;
  /** Conditions that a look-up of host and path does not decide. */
  readonly rest: readonly Condition[];
}

/** null where the conjunction can never hold. */
export function lookupOf(conjunction: Conjunction): Lookup | null {
  let host: string | null = null;
  let path: string | null = null;
  const rest: Condition[] = [];
  for (const condition of conjunction) {
    const { matcher, negated } = condition;
    const fixed = always(matcher);
    if (fixed !== null) {
      if (fixed === negated) return null;
      continue;
    }
    if (matcher.form === 'literal' && !negated && matcher.kind === 'host') {
      if (host !== null && host !== matcher.value) return null;
      host = matcher.value;
    } else if (matcher.form === 'literal' && !negated && matcher.kind === 'path') {
      if (path !== null && path !== matcher.value) return null;
      path = matcher.value;
    } else rest.push(condition);
  }
  return { host, path, rest };
}

/** Regular expressions that every text without line ends matches. */
const EVERYTHING = new Set(['', '.*', '^.*', '.*$', '^.*$', '(.*)', '^(.*)$']);
/** The same for texts that begin with a slash, as paths do. */
const EVERY_PATH = new Set(['/', '^/', '/.*', '^/.*', '^/.*$', '/(.*)', '^/(.*)', '^/(.*)$', '.+', '^.+$']);

/** Whether the matcher holds for every request, for none (false), or it depends (null). */
function always(matcher: Matcher): boolean | null {
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
