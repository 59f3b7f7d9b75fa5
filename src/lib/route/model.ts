/** The part of a request that a matcher tests. A header's name is in lower case. */
export type Subject =
  | { readonly kind: 'host' | 'path' | 'method' }
  | { readonly kind: 'header'; readonly header: string };

/** One piece of a pattern: literal text or a placeholder. */
export type PatternPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'string' | 'int' | 'path'; readonly name: string };

/** How a matcher tests it. Values may contain any character, line breaks included. */
export type Test =
  /** The whole subject is this text. */
  | { readonly form: 'literal'; readonly value: string }
  | {
      readonly form: 'pattern';
      /** As written; a host's is lower case. */
      readonly value: string;
      readonly parts: readonly PatternPart[];
      /** The same as an anchored regular expression that RE2 and PCRE2 read alike. */
      readonly regexp: string;
      /** Never matches: a placeholder takes everything up to the next separator, so the text after it cannot follow. */
      readonly dead: boolean;
    }
  /** RE2, found anywhere in the subject; a host's letters are lower case. */
  | { readonly form: 'regexp'; readonly value: string };

export type Matcher = Subject & Test;

export type Expression =
  | { readonly kind: 'matcher'; readonly matcher: Matcher }
  | { readonly kind: 'not'; readonly part: Expression }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Expression[] };

/** A condition on the request: the matcher must match, or must not where it is negated. */
export interface Condition {
  readonly matcher: Matcher;
  readonly negated: boolean;
}

/** Conditions that must all hold. */
export type Conjunction = readonly Condition[];

export interface Route {
  /** As written. */
  readonly text: string;
  readonly expression: Expression;
  /** The disjunctive normal form: the route matches where one of these does. None = it never matches. */
  readonly conjunctions: readonly Conjunction[];
  /** What a real vulcand cannot read, in words such as `||`; empty = it reads this route. */
  readonly foreign: readonly string[];
}

/** The request as routes see it. Made by `requestOf`. */
export interface Request {
  /** As sent; methods are case-sensitive. */
  readonly method: string;
  /** Lower case, without the port; '' = the request has none. */
  readonly host: string;
  /** Still %-escaped, without the query; at least `/`. */
  readonly path: string;
  /** The first value of each header, by lower-case name. An absent header is the same as an empty one. */
  readonly headers: Readonly<Record<string, string>>;
}
