import { conditionHolds } from './match.ts';
import type { Conjunction, Expression, Matcher, Request, Route } from './model.ts';

/** Why a route, or a part of it, can never match a request, and what to write in its place. */
export interface Impossible {
  readonly problem: string;
  readonly hint: string;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'];

/** What RFC 3986 allows in a path, `%` included; clients send everything else %-escaped. */
const PATH = /^[A-Za-z0-9\-._~!$&'()*+,;=:@%/]*$/;

/**
 * The first reason why this route, or one of its matchers, can never match what clients send; null where there is none.
 * A regular expression is judged only by what it visibly requires.
 */
export function impossible(route: Route): Impossible | null {
  for (const matcher of matchers(route.expression)) {
    const found = ofMatcher(matcher);
    if (found !== null) return found;
  }
  for (const conjunction of route.conjunctions) if (!contradicts(conjunction)) return null;
  return {
    problem: `no request matches ${route.text}: its conditions exclude each other`,
    hint: 'join alternatives with ||, or make a frontend of each',
  };
}

function* matchers(expression: Expression): Generator<Matcher> {
  if (expression.kind === 'matcher') yield expression.matcher;
  else if (expression.kind === 'not') yield* matchers(expression.part);
  else for (const part of expression.parts) yield* matchers(part);
}

function ofMatcher(matcher: Matcher): Impossible | null {
  if (matcher.form === 'pattern' && matcher.dead)
    return {
      problem: `${matcher.value} never matches: a placeholder takes everything up to the next separator`,
      hint: 'end each placeholder at a separator, or use a regular expression',
    };
  switch (matcher.kind) {
    case 'host':
      return ofHost(matcher);
    case 'path':
      return ofPath(matcher);
    case 'method':
      return ofMethod(matcher);
    case 'header':
      return ofHeader(matcher);
  }
}

function ofHost(matcher: Matcher): Impossible | null {
  const { form, value } = matcher;
  if (form === 'regexp') {
    if (!value.includes('://')) return null;
    return { problem: `HostRegexp ${show(value)} asks for a scheme`, hint: 'match the host name alone' };
  }
  const right = form === 'literal' ? hostAsSent(value) : null;
  const write = right === null ? 'write the host name alone' : `write Host("${right}")`;
  if (value.includes('://'))
    return { problem: `Host ${show(value)} has a scheme, which is no part of a host name`, hint: write };
  if (value.includes('/'))
    return {
      problem: `Host ${show(value)} has a path, which is no part of a host name`,
      hint: right === null ? write : `${write} && PathRegexp("...")`,
    };
  if (value.includes('*'))
    return {
      problem: `Host ${show(value)}: * stands for nothing here`,
      hint: `write Host("${value.replaceAll('*', '<name>')}") for one label, HostRegexp for several`,
    };
  // A placeholder's type (<int:n>) contains a colon too, so only literal text counts.
  const text = textOf(matcher);
  if (/:\d*$/.test(text) && !text.endsWith(']') && !/^\[[^\]]*\]$/.test(text))
    return { problem: `Host ${show(value)} has a port, which routes do not see`, hint: write };
  if (/[^\0-\x7f]/.test(text))
    return {
      problem: `Host ${show(value)}: clients send international names in their ASCII form`,
      hint: write,
    };
  if (!/^[a-z0-9._~!$&'()+,;=%:[\]-]*$/.test(text))
    return { problem: `Host ${show(value)} has a character that no host name has`, hint: write };
  return null;
}

/** The host name in the form that clients send: no scheme, port or path, and ASCII; null where none can be read. */
export function hostAsSent(value: string): string | null {
  const bare = value.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, '');
  const url = `http://${bare}`;
  if (bare.includes('*') || !URL.canParse(url)) return null;
  const { hostname } = new URL(url);
  return hostname === '' ? null : hostname;
}

function ofPath(matcher: Matcher): Impossible | null {
  const { form, value } = matcher;
  if (form === 'regexp') {
    const anchored = /^\^[A-Za-z0-9_-](?![?*{|])/.test(value) && !value.includes('|');
    if (!anchored) return null;
    return {
      problem: `PathRegexp ${show(value)} begins with no slash, as every path does`,
      hint: `write PathRegexp(${show(`^/${value.slice(1)}`)})`,
    };
  }
  const text = textOf(matcher);
  const first = matcher.form === 'pattern' ? matcher.parts[0] : undefined;
  const write = (path: string): string => `write Path(${show(path)})`;
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    const path = URL.canParse(value) ? new URL(value).pathname : '/';
    return {
      problem: `Path ${show(value)} is a whole URL`,
      hint: `${write(path)}, and Host("...") for the rest`,
    };
  }
  if (!value.startsWith('/') && (first === undefined || first.kind !== 'path'))
    return {
      problem: `Path ${show(value)} begins with no slash, as every path does`,
      hint: write(`/${value}`),
    };
  if (/[?#]/.test(text))
    return {
      problem: `Path ${show(value)} has a query or a fragment, which routes do not see`,
      hint: write(value.replace(/[?#].*$/s, '')),
    };
  if (!PATH.test(text))
    return {
      problem: `Path ${show(value)} has a character that clients send %-escaped`,
      hint: form === 'literal' ? write(escapePath(value)) : 'write it %-escaped, as %20 for a blank',
    };
  return null;
}

function ofMethod({ form, value }: Matcher): Impossible | null {
  if (form !== 'literal') return null;
  const upper = value.toUpperCase();
  if (value !== upper && METHODS.includes(upper))
    return { problem: `Method ${show(value)}: methods are upper case`, hint: `write Method("${upper}")` };
  if (/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(value)) return null;
  return {
    problem: `Method ${show(value)} is not a method`,
    hint: 'one method each, such as Method("GET") || Method("HEAD")',
  };
}

function ofHeader({ form, value }: Matcher): Impossible | null {
  if (form !== 'literal') return null;
  if (value === value.trim() && !/[\r\n\0]/.test(value)) return null;
  return {
    problem: `Header value ${show(value)} has blanks at an end or a line break, which no header has`,
    hint: `write ${show(value.replace(/[\r\n\0]/g, ' ').trim())}`,
  };
}

/** Whether a literal of this conjunction fails another condition on the same part of the request. */
function contradicts(conjunction: Conjunction): boolean {
  return conjunction.some(({ matcher, negated }) => {
    if (negated || matcher.form !== 'literal') return false;
    const request = requestWith(matcher);
    return conjunction.some(
      (other) => isSameSubject(other.matcher, matcher) && !conditionHolds(other, request),
    );
  });
}

const isSameSubject = (a: Matcher, b: Matcher): boolean =>
  a.kind === b.kind && (a.kind !== 'header' || b.kind !== 'header' || a.header === b.header);

function requestWith(matcher: Matcher): Request {
  const request = { method: '', host: '', path: '/', headers: {} };
  if (matcher.kind === 'header') return { ...request, headers: { [matcher.header]: matcher.value } };
  return { ...request, [matcher.kind]: matcher.value };
}

/** What must stand in the subject literally; a placeholder is a letter. */
function textOf(matcher: Matcher): string {
  if (matcher.form !== 'pattern') return matcher.value;
  return matcher.parts.map((part) => (part.kind === 'text' ? part.text : 'x')).join('');
}

const escapePath = (path: string): string =>
  encodeURI(path).replace(/[[\]?#]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const show = (value: string): string => JSON.stringify(value.slice(0, 80));
