import { createHash } from 'node:crypto';
import {
  DEFAULT_FAILOVER,
  evaluatePredicate,
  MAX_FAILOVER_ATTEMPTS,
  type Predicate,
  parsePredicate,
} from '../../../route/index.ts';

/** How a HAProxy backend retries. Retries go to another server each time. */
export interface RetryProfile {
  /** Part of the HAProxy backend's name; '' = what a frontend without a predicate gets. */
  readonly tag: string;
  /** At most. Connection failures are retried this often for every method. */
  readonly retries: number;
  /** Methods whose requests are sent again after they reached a server; null = every method. */
  readonly methods: readonly string[] | null;
  /** `retry-on`. */
  readonly on: readonly string[];
  /** For bodies of any length, which servers read as fast as they like. */
  readonly isStream: boolean;
}

/** What HAProxy can retry by status. */
const RETRYABLE = [401, 403, 404, 408, 425, 500, 501, 502, 503, 504] as const;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'] as const;
/** Any method that neither the predicate nor METHODS names. */
const ANY_OTHER = '\u0000';

/** How HAProxy carries out a failover predicate. */
export interface Failover {
  readonly profile: RetryProfile;
  /** What HAProxy does differently from the predicate, in sentences; empty = nothing. */
  readonly notes: readonly string[];
}

/** Of a streaming frontend, which keeps no request to send again: what a connection needs that a server refused. */
export const STREAM: RetryProfile = {
  tag: 'stream',
  retries: 1,
  methods: [],
  on: ['conn-failure'],
  isStream: true,
};

/**
 * What HAProxy makes of a predicate that parses ('' = vulcand's default). A predicate is evaluated for every method, status
 * and number of attempts; HAProxy has one number of retries, one set of methods and one set of failures for a backend.
 * Where they cannot express the same, there are fewer retries, never more.
 */
export function failover(predicate: string): Failover {
  const text = predicate === '' ? DEFAULT_FAILOVER : predicate;
  const table = new Table(parsePredicate(text), text);
  const methods = table.methods.filter((method) => table.statuses(method).length > 0);
  if (methods.length === 0)
    return {
      profile: tagged({ retries: 0, methods: [], on: ['none'] }),
      notes: [...table.unretryable(), ...table.gaps()],
    };
  const [first = ''] = methods;
  let common = table.statuses(first).filter((status) => methods.every((m) => table.retries(m, status) > 0));
  let served = methods;
  if (common.length === 0) {
    common = table.statuses(first);
    served = methods.filter((method) => common.every((status) => table.retries(method, status) > 0));
  }
  const counts = served.flatMap((method) => common.map((status) => table.retries(method, status)));
  const retries = Math.min(...counts);
  const exact =
    Math.max(...counts) === retries &&
    methods.every((m) => (served.includes(m) ? table.statuses(m).length === common.length : false));
  const all = table.methods.every((method) => served.includes(method));
  const on = [
    'conn-failure',
    ...(common.includes(502) ? ['empty-response'] : []),
    ...(common.includes(504) ? ['response-timeout'] : []),
    ...common.map(String),
  ];
  const named = served.filter((method) => method !== ANY_OTHER);
  const notes = [...table.unretryable(), ...table.gaps()];
  if (!exact) notes.push(`only ${describe(named, all, retries, common)}: HAProxy has one rule for a backend`);
  if (!all && served.includes(ANY_OTHER)) notes.push('methods that are not usual are not retried');
  return { profile: tagged({ retries, methods: all ? null : named, on }), notes };
}

class Table {
  readonly methods: readonly string[];
  readonly #predicate: Predicate;
  readonly #statuses: readonly number[];

  constructor(predicate: Predicate, text: string) {
    this.#predicate = predicate;
    const strings = methodsIn(predicate);
    this.methods = [...new Set([...METHODS, ...strings, ANY_OTHER])];
    const numbers = [...text.matchAll(/\d+/g)].map(([digits]) => Number(digits));
    const near = numbers.flatMap((n) => [n - 1, n, n + 1]).filter((n) => n >= 100 && n <= 599);
    this.#statuses = [...new Set([200, 204, 302, 400, 409, 429, 505, 599, ...near, ...RETRYABLE])].sort(
      (a, b) => a - b,
    );
  }

  /** How often a request is sent again while every answer has this status. */
  retries(method: string, status: number): number {
    let attempts = 1;
    while (attempts < MAX_FAILOVER_ATTEMPTS && this.#again(method, status, attempts)) attempts++;
    return attempts - 1;
  }

  /** Statuses that HAProxy can retry and the predicate does. */
  statuses(method: string): number[] {
    return RETRYABLE.filter((status) => this.retries(method, status) > 0);
  }

  unretryable(): string[] {
    const wanted = this.#statuses.filter(
      (status) =>
        !RETRYABLE.some((one) => one === status) &&
        this.methods.some((method) => this.retries(method, status) > 0),
    );
    if (wanted.length === 0) return [];
    const shown = wanted.slice(0, 5).join(', ');
    return [`answers such as ${shown} are not retried: HAProxy retries ${RETRYABLE.join(', ')} only`];
  }

  /** Whether it only holds for later attempts, which are never reached without a second one; vulcand does the same. */
  gaps(): string[] {
    const never = this.methods.every((method) =>
      this.#statuses.every((status) => this.retries(method, status) === 0),
    );
    const later = this.methods.some((method) =>
      this.#statuses.some((status) => [2, 3, 4, 5].some((attempts) => this.#again(method, status, attempts))),
    );
    return never && later ? ['it never holds after the first attempt, so nothing is retried'] : [];
  }

  #again(method: string, status: number, attempts: number): boolean {
    const networkError = status === 502 || status === 504;
    return evaluatePredicate(this.#predicate, { method, status, attempts, networkError });
  }
}

function methodsIn(predicate: Predicate): string[] {
  if (predicate.kind === 'method') return [predicate.value];
  return 'parts' in predicate ? predicate.parts.flatMap(methodsIn) : [];
}

function describe(
  methods: readonly string[],
  all: boolean,
  retries: number,
  statuses: readonly number[],
): string {
  const who = all ? 'every method is' : `${methods.join(', ')} ${methods.length === 1 ? 'is' : 'are'}`;
  return `${who} retried, ${retries === 1 ? 'once' : `${retries} times`}, on ${statuses.join(', ')}`;
}

function tagged(profile: Omit<RetryProfile, 'tag' | 'isStream'>): RetryProfile {
  const text = JSON.stringify(profile);
  if (text === USUAL_TEXT) return USUAL;
  return {
    tag: `r${createHash('sha256').update(text).digest('hex').slice(0, 8)}`,
    ...profile,
    isStream: false,
  };
}

const usual = {
  retries: 1,
  methods: ['GET'],
  on: ['conn-failure', 'empty-response', 'response-timeout', '502', '504'],
};
const USUAL_TEXT = JSON.stringify(usual);

/** The default predicate's profile: a test compares it with what `failover` makes of that. */
export const USUAL: RetryProfile = { tag: '', ...usual, isStream: false };
