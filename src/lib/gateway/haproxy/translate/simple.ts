import { always, type Condition, type Conjunction } from '../../../route/index.ts';

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
